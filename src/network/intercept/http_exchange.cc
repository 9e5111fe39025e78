#include "network/intercept/http_exchange.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "http/wire/serialize.h"

namespace cay::network {
namespace {

constexpr std::array<std::string_view, 8> kHopByHop = {
    "Connection", "Keep-Alive", "Proxy-Connection",  "TE",
    "Trailer",    "Upgrade",    "Transfer-Encoding", "Content-Length"};
constexpr size_t kPiece = size_t{16} * 1024;
// What a Connection field may not take off a message.
constexpr std::array<std::string_view, 3> kKept = {"Host", "Authorization", "Cookie"};

bool Is(std::string_view one, const auto& names) {
  return std::ranges::any_of(names,
                             [&](std::string_view name) { return EqualsIgnoringCase(one, name); });
}

// Without those that are between two neighbours only (RFC 9110, 7.6.1).
http::Headers EndToEnd(const http::Headers& headers) {
  http::Headers kept;
  for (const auto& [name, value] : headers.fields()) {
    if (Is(name, kHopByHop)) continue;
    if (!Is(name, kKept) && headers.ListContains("Connection", name)) continue;
    kept.Add(name, value);
  }
  return kept;
}

// `usual`: the port that is meant where none is said.
bool IsForHost(std::string_view field, std::string_view name, uint16_t port, uint16_t usual) {
  const std::string host = Lower(field);
  if (host == std::string(name) + ":" + std::to_string(port)) return true;
  return port == usual && host == name;
}

void AppendChunk(std::string& to, std::string_view data) {
  to += http::ChunkHead(data.size());
  to += data;
  to += http::kChunkEnd;
}

}  // namespace

HttpExchange::HttpExchange(const Credentials& credentials, std::string name, uint16_t port)
    : credentials_(credentials), name_(std::move(name)), port_(port) {}

bool HttpExchange::WantsClient() const {
  return !over() && !client_ended_ && client_in.size() < kMaxHead &&
         upstream_out.size() < kMaxQueued;
}

bool HttpExchange::WantsUpstream() const {
  return !over() && !upstream_ended_ && upstream_in.size() < kMaxHead &&
         client_out.size() < kMaxQueued;
}

void HttpExchange::ClientEnded() { client_ended_ = true; }

void HttpExchange::UpstreamEnded(bool in_order) {
  upstream_ended_ = true;
  upstream_in_order_ = in_order;
}

void HttpExchange::RefuseAll(int status, std::string reason, End::Kind kind) {
  refuse_status_ = status;
  refuse_reason_ = std::move(reason);
  refuse_kind_ = kind;
}

void HttpExchange::Finish(End::Kind kind, std::string reason) {
  if (!end_) end_ = End{.kind = kind, .reason = std::move(reason)};
}

void HttpExchange::Refuse(int status, const std::string& reason, End::Kind kind) {
  if (!answer_begun_) {
    client_out +=
        http::ProblemResponse(status, "the sandbox's network: " + reason, http::NewRequestId());
  }
  // What is not sent yet belongs to a request that is no more.
  upstream_out.clear();
  Finish(kind, reason);
}

void HttpExchange::Shrink() {
  constexpr size_t kMostKept = 1024;
  for (std::string* queue : {&client_in, &client_out, &upstream_in, &upstream_out})
    if (queue->empty() && queue->capacity() > kMostKept) std::string().swap(*queue);
}

void HttpExchange::Pump() {
  busy_ = false;
  while (!over() && !busy_) {
    const bool asked = PumpRequest();
    const bool answered = !over() && PumpAnswer();
    if (!asked && !answered) break;
  }
}

bool HttpExchange::PumpRequest() {
  switch (request_) {
    case Request::kHead:
      return ReadRequestHead();
    case Request::kLength:
      return PassOn(client_in, upstream_out, request_left_, true);
    case Request::kChunked:
      return PassChunks(client_in, upstream_out, request_chunks_, true);
    case Request::kAnswer:
      return false;
    case Request::kTunnel:
      return PassTunnel();
  }
  return false;
}

bool HttpExchange::ReadRequestHead() {
  const std::string_view waiting = client_in;
  if (waiting.empty() && (client_ended_ || (upstream_ended_ && refuse_status_ == 0))) {
    Finish(End::Kind::kDone, {});
    return true;
  }
  const auto end = http::FindHeadEnd(waiting, client_scanned_);
  if (!end && client_ended_) {
    Finish(End::Kind::kRefused, "the connection ended within the head of a request");
    return true;
  }
  if (end.value_or(waiting.size()) >= kMaxHead) {
    Refuse(431, "the head of a request has more than 64 KiB");
    return true;
  }
  if (!end) return false;
  if (upstream_ended_ && refuse_status_ == 0) {
    Finish(End::Kind::kDone, {});  // an idle connection that the server has ended
    return true;
  }
  client_scanned_ = 0;
  if (refuse_status_ != 0) {
    Refuse(refuse_status_, refuse_reason_, refuse_kind_);
    return true;
  }
  const auto head = http::ParseRequestHead(waiting.substr(0, *end), kMaxHead);
  if (!head) {
    Refuse(head.error().status, "a request has " + std::string(head.error().detail));
    return true;
  }
  CheckRequest(*head);
  if (over()) return true;
  WriteRequest(*head);
  client_in.erase(0, *end);
  return true;
}

void HttpExchange::CheckRequest(const http::RequestHead& head) {
  const http::Request& request = head.request;
  if (head.http_1_0) return Refuse(505, "requests that are intercepted are HTTP/1.1");
  const bool is_path =
      request.target.starts_with('/') || (request.target == "*" && request.method == "OPTIONS");
  if (request.method == "CONNECT" || !is_path)
    return Refuse(400, "the target of a request is not a path");
  if (!IsForHost(request.headers.Find("Host").value_or(""), name_, port_, usual_port_))
    return Refuse(421, "a request to " + name_ + " is for another Host");
  upgrade_ = false;
  if (const auto upgrade = request.headers.Find("Upgrade")) {
    // RFC 6455, 4.1: a GET, and so without a body.
    if (!EqualsIgnoringCase(*upgrade, "websocket") || request.method != "GET" || request.has_body ||
        !request.headers.ListContains("Connection", "upgrade"))
      return Refuse(400, "a request asks for an Upgrade to something else than a WebSocket");
    upgrade_ = true;
  }
  if (const auto foreign = credentials_.Foreign(name_, port_, request.target))
    Refuse(403, "the target of a request has " + credentials_.Misplaced(*foreign, name_));
}

void HttpExchange::WriteRequest(const http::RequestHead& head) {
  const http::Request& request = head.request;
  http::Headers headers = EndToEnd(request.headers);
  if (const auto filled = credentials_.Fill(name_, port_, headers); !filled)
    return Refuse(403, filled.error().message());
  method_ = request.method;
  target_ = request.target;
  keep_alive_ = head.keep_alive;
  answer_begun_ = false;
  upstream_scanned_ = 0;
  if (TakeTurn(request, headers)) return;
  if (head.framing == http::Framing::kChunked) {
    headers.Add("Transfer-Encoding", "chunked");
  } else if (request.content_length) {
    headers.Add("Content-Length", std::to_string(*request.content_length));
  }
  if (upgrade_) {
    headers.Add("Connection", "Upgrade");
    headers.Add("Upgrade", "websocket");
  } else if (!head.keep_alive) {
    headers.Add("Connection", "close");
  }
  if (!http::CheckHeaders(headers)) return Refuse(400, "a request has a malformed field");
  upstream_out += http::RequestLineAndHeaders(request.method, request.target, headers) + "\r\n";
  answer_ = Answer::kHead;
  scan_.emplace(credentials_, name_, port_);
  request_chunks_ = {};
  request_left_ = request.content_length.value_or(0);
  request_ = head.framing == http::Framing::kChunked  ? Request::kChunked
             : head.framing == http::Framing::kLength ? Request::kLength
                                                      : Request::kAnswer;
}

// Of a body whose length is known.
bool HttpExchange::PassOn(std::string& from, std::string& to, uint64_t& left, bool scan) {
  const size_t room = kMaxQueued - std::min(kMaxQueued, to.size());
  const size_t count = static_cast<size_t>(std::min<uint64_t>({left, from.size(), uint64_t{room}}));
  if (count == 0) {
    if (from.empty() && (scan ? client_ended_ : upstream_ended_)) {
      Finish(scan ? End::Kind::kRefused : End::Kind::kFailed,
             scan ? "the connection ended within the body of a request"
                  : "the server ended the connection within an answer");
      return true;
    }
    return false;
  }
  const std::string_view piece = std::string_view(from).substr(0, count);
  if (scan) {
    if (const auto foreign = scan_->Add(piece)) {
      Refuse(403, "the body of a request has " + credentials_.Misplaced(*foreign, name_));
      return true;
    }
  }
  if (!scan && turn_) turn_->Add(piece);
  to += piece;
  from.erase(0, count);
  left -= count;
  if (left > 0) return true;
  if (!scan) {
    AnswerIsDone();
    return true;
  }
  request_ = Request::kAnswer;
  NextIfBothAreDone();
  return true;
}

bool HttpExchange::PassChunks(std::string& from, std::string& to, http::ChunkDecoder& chunks,
                              bool scan) {
  if (to.size() >= kMaxQueued) return false;
  std::array<char, kPiece> space;
  const auto step = chunks.Decode(from, space);
  if (!step) {
    if (scan) {
      Refuse(400, "a request has a body whose chunks are malformed");
    } else {
      Refuse(502, "the server's answer has malformed chunks", End::Kind::kFailed);
    }
    return true;
  }
  const std::string_view piece(space.data(), step->produced);
  if (scan && !piece.empty()) {
    if (const auto foreign = scan_->Add(piece)) {
      Refuse(403, "the body of a request has " + credentials_.Misplaced(*foreign, name_));
      return true;
    }
  }
  if (!scan && turn_) turn_->Add(piece);
  if (!piece.empty()) AppendChunk(to, piece);
  from.erase(0, step->consumed);
  if (chunks.done()) {
    to += http::kLastChunk;
    if (!scan) {
      AnswerIsDone();
      return true;
    }
    request_ = Request::kAnswer;
    NextIfBothAreDone();
    return true;
  }
  if (step->consumed > 0 || step->produced > 0) return true;
  if (!(scan ? client_ended_ : upstream_ended_)) return false;
  Finish(scan ? End::Kind::kRefused : End::Kind::kFailed,
         scan ? "the connection ended within the body of a request"
              : "the server ended the connection within an answer");
  return true;
}

bool HttpExchange::PassTunnel() {
  bool did = false;
  for (auto [from, to] : {std::pair{&client_in, &upstream_out}, {&upstream_in, &client_out}}) {
    if (from->empty() || to->size() >= kMaxQueued) continue;
    *to += *from;
    from->clear();
    did = true;
  }
  if ((client_ended_ && client_in.empty()) || (upstream_ended_ && upstream_in.empty())) {
    Finish(End::Kind::kDone, {});
    did = true;
  }
  return did;
}

bool HttpExchange::PumpAnswer() {
  switch (answer_) {
    case Answer::kNone:
      // Nothing was asked: what a server says then would be taken for the next answer.
      if (upstream_in.empty() || tunnel()) return false;
      Finish(End::Kind::kFailed, "the server said something that was not asked for");
      return true;
    case Answer::kDone:
      return false;
    case Answer::kCheck:
      return CheckKept();
    case Answer::kKept:
      return GiveKept();
    case Answer::kHead:
      return ReadAnswerHead();
    case Answer::kLength:
      return PassOn(upstream_in, client_out, answer_left_, false);
    case Answer::kChunked:
      return PassChunks(upstream_in, client_out, answer_chunks_, false);
    case Answer::kUntilClose:
      break;
  }
  if (!upstream_in.empty() && client_out.size() < kMaxQueued) {
    AppendChunk(client_out, upstream_in);
    upstream_in.clear();
    return true;
  }
  if (!upstream_ended_ || !upstream_in.empty()) return false;
  // What was broken off is not to be taken for the whole.
  if (!upstream_in_order_) {
    Finish(End::Kind::kFailed, "the server broke the connection off within an answer");
    return true;
  }
  client_out += http::kLastChunk;
  answer_ = Answer::kDone;
  Finish(End::Kind::kDone, {});
  return true;
}

bool HttpExchange::ReadAnswerHead() {
  if (client_out.size() >= kMaxQueued) return false;
  if (refuse_status_ != 0) {
    if (!AnsweredFromCache()) Refuse(refuse_status_, refuse_reason_, refuse_kind_);
    return true;
  }
  const auto end = http::FindHeadEnd(upstream_in, upstream_scanned_);
  if (end.value_or(upstream_in.size()) >= kMaxHead) {
    Refuse(502, "the head of the server's answer has more than 64 KiB", End::Kind::kFailed);
    return true;
  }
  if (!end) {
    if (!upstream_ended_) return false;
    if (AnsweredFromCache()) return true;
    // As a server does that ends an idle connection: the client may try again.
    Finish(End::Kind::kFailed, "the server ended the connection without an answer");
    return true;
  }
  upstream_scanned_ = 0;
  const auto head = http::ParseResponseHead(std::string_view(upstream_in).substr(0, *end), method_);
  if (!head) {
    Refuse(502, "the server's answer has " + std::string(head.error().detail), End::Kind::kFailed);
    return true;
  }
  if (head->status == 101 && !upgrade_) {
    Refuse(502, "the server switches to a protocol that was not asked for", End::Kind::kFailed);
    return true;
  }
  upstream_in.erase(0, *end);
  AnswerBody(*head);
  return true;
}

void HttpExchange::AnswerBody(const http::ResponseHead& head) {
  using http::Framing;
  http::Headers headers = EndToEnd(head.headers);
  if (turn_ && head.status >= 200 && TakeForTurn(head, headers)) return;
  const bool until_close = head.framing == Framing::kUntilClose;
  if (head.framing == Framing::kChunked || until_close) {
    headers.Add("Transfer-Encoding", "chunked");
  } else if (head.content_length && head.status >= 200 && head.status != 204) {
    headers.Add("Content-Length", std::to_string(*head.content_length));
  }
  const bool interim = head.status < 200;
  if (head.status == 101) {
    headers.Add("Connection", "Upgrade");
    headers.Add("Upgrade", "websocket");
  } else if (!interim) {
    keep_alive_ = keep_alive_ && head.keep_alive;
    if (!keep_alive_) headers.Add("Connection", "close");
  }
  if (!http::CheckHeaders(headers))
    return Refuse(502, "the server's answer has a malformed field", End::Kind::kFailed);
  client_out += http::StatusLineAndHeaders(head.status, headers) + "\r\n";
  if (head.status == 101) {
    request_ = Request::kTunnel;
    answer_ = Answer::kNone;
    answer_begun_ = true;
    return;
  }
  if (interim) return;
  answer_begun_ = true;
  answer_chunks_ = {};
  answer_left_ = head.content_length.value_or(0);
  answer_ = head.framing == Framing::kLength    ? Answer::kLength
            : head.framing == Framing::kChunked ? Answer::kChunked
            : until_close                       ? Answer::kUntilClose
                                                : Answer::kDone;
  if (answer_ == Answer::kDone) AnswerIsDone();
}

void HttpExchange::AnswerIsDone() {
  if (turn_) turn_->Complete();
  turn_.reset();
  answer_ = Answer::kDone;
  NextIfBothAreDone();
}

// A server may answer before it has the whole body: the next request comes after both.
void HttpExchange::NextIfBothAreDone() {
  if (request_ != Request::kAnswer || answer_ != Answer::kDone) {
    // Whose connection is over with the answer does not read the rest.
    if (answer_ == Answer::kDone && !keep_alive_) Finish(End::Kind::kDone, {});
    return;
  }
  answer_ = Answer::kNone;
  request_ = Request::kHead;
  if (!keep_alive_) Finish(End::Kind::kDone, {});
}

}  // namespace cay::network
