#include "http/client/proxy.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <limits>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "http/transport/body_reader.h"
#include "http/transport/relay.h"
#include "http/wire/head.h"
#include "http/wire/serialize.h"

namespace cay::http {
namespace {

constexpr size_t kMaxHead =
    64 * kKiB;  // of the answer, and of all that come before it (1xx) together
constexpr size_t kPieceSize = 64 * kKiB;
// What is inside may think for long before it answers, and between two pieces.
constexpr Millis kUpstreamPatience = std::chrono::hours(1);

// RFC 9110, 7.6.1, and what frames a message: each connection has its own.
constexpr std::array<std::string_view, 10> kHopByHop = {
    "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
    "TE",         "Trailer",    "Upgrade",          "Transfer-Encoding",  "Content-Length"};

// The fields that go on to the next connection.
Headers EndToEnd(const Headers& headers) {
  Headers passed;
  for (const auto& [name, value] : headers.fields()) {
    const bool is_hop = std::ranges::any_of(
        kHopByHop, [&](std::string_view other) { return EqualsIgnoringCase(name, other); });
    if (!is_hop && !headers.ListContains("Connection", name)) passed.Add(name, value);
  }
  return passed;
}

Error UpstreamFault(ErrorCode code, std::string_view what) {
  return {code, Fault::kMachine, std::string(what)};
}

class Proxying {
 public:
  Proxying(Exchange& exchange, Stream upstream, const ProxyOptions& options)
      : exchange_(exchange), options_(options), upstream_(std::move(upstream)) {}

  Result<void> Run();

 private:
  Result<std::string> MakeHead();
  Result<ResponseHead> ReadHead();
  Headers Answer(const ResponseHead& head) const;
  Result<void> PassOn(const ResponseHead& head);
  Result<void> PassBody(const ResponseHead& head);
  Result<void> Switch(const ResponseHead& head);
  Result<bool> WaitForUpstream();
  Result<bool> SendBodyPiece();
  void FlushPending();

  Exchange& exchange_;
  const ProxyOptions& options_;
  Stream upstream_;
  InputBuffer input_;        // from the upstream
  Pace pace_;                // nothing is waited for but in WaitForUpstream
  std::string pending_;      // to the upstream, not yet taken
  bool body_ended_ = false;  // nothing more of the request's body goes to the upstream
  bool upgrades_ = false;
};

Result<std::string> Proxying::MakeHead() {
  const Request& request = exchange_.request();
  Headers headers = EndToEnd(request.headers);
  for (const std::string& name : options_.drop) headers.Remove(name);
  for (const char* name : {"Expect", "Forwarded", "X-Forwarded-Prefix"}) headers.Remove(name);
  headers.Set("X-Forwarded-For", request.peer.address);
  headers.Set("X-Forwarded-Proto", request.peer.tls ? "https" : "http");
  headers.Set("X-Forwarded-Host", std::string(request.headers.Find("Host").value_or("")));
  if (!options_.prefix.empty()) headers.Set("X-Forwarded-Prefix", options_.prefix);
  headers.Set("X-Request-Id", request.id);
  headers.Set("Host", options_.host);
  const auto upgrade = request.headers.Find("Upgrade");
  upgrades_ = upgrade && request.headers.ListContains("Connection", "upgrade") && !request.has_body;
  if (upgrades_) {
    headers.Set("Connection", "Upgrade");
    headers.Set("Upgrade", std::string(*upgrade));
  } else {
    headers.Set("Connection", "close");
  }
  if (request.content_length) {
    headers.Set("Content-Length", std::to_string(*request.content_length));
  } else if (request.has_body) {
    headers.Set("Transfer-Encoding", "chunked");
  }
  TRY(CheckHeaders(headers));
  const bool is_target = std::ranges::all_of(
      options_.target, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; });
  if (!is_target || options_.target.empty()) {
    return Failure(Error::Invalid("a request target with a space or a control character"));
  }
  return RequestLineAndHeaders(request.method, options_.target, headers) + "\r\n";
}

// As much of what is pending as the upstream takes. One that takes nothing more may still have an
// answer.
void Proxying::FlushPending() {
  if (pending_.empty()) return;
  const std::string_view part = pending_;
  const auto put = upstream_.TryWrite({&part, 1});
  if (!put) {
    pending_.clear();
    body_ended_ = true;
    return;
  }
  pending_.erase(0, *put);
}

// What has come of the request's body. False when that is nothing.
Result<bool> Proxying::SendBodyPiece() {
  std::vector<char> space(kPieceSize);
  const std::optional<size_t> piece = TRY(exchange_.TryReadBody(space));
  if (!piece) return false;
  const size_t got = *piece;
  const bool in_chunks = !exchange_.request().content_length;
  if (got == 0) {
    body_ended_ = true;
    if (in_chunks) pending_ += kLastChunk;
  } else if (in_chunks) {
    pending_ += ChunkHead(got);
    pending_.append(space.data(), got);
    pending_ += kChunkEnd;
  } else {
    pending_.append(space.data(), got);
  }
  FlushPending();
  return true;
}

// Until the upstream has something, passing the request's body on meanwhile. False when its time is
// over.
Result<bool> Proxying::WaitForUpstream() {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + kUpstreamPatience;
  for (;;) {
    TRY(exchange_.Standing());
    const bool sent = !body_ended_ && pending_.empty() && TRY(SendBodyPiece());
    // What TLS has read already, poll does not know of.
    if (upstream_.HasBuffered()) return true;
    const bool wants_body = !body_ended_ && pending_.empty();
    std::array<pollfd, 2> waited{};
    waited[0].fd = upstream_.fd();
    waited[0].events = static_cast<int16_t>(pending_.empty() ? POLLIN : POLLIN | POLLOUT);
    waited[1].fd = exchange_.socket();
    waited[1].events = static_cast<int16_t>(wants_body ? POLLIN : POLLRDHUP);
    const bool has_more = wants_body && sent;
    const int ready = ::poll(waited.data(), waited.size(),
                             has_more ? 0 : static_cast<int>(Exchange::kStandingInterval.count()));
    if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
    if (ready == 0 && !has_more) {
      if (Clock::now() >= end) return false;
      continue;
    }
    if ((waited[0].revents & POLLOUT) != 0) FlushPending();
    if ((waited[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) return true;
    if (waited[1].revents != 0 && !wants_body) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kCaller, "the client has gone"));
    }
  }
}

Result<ResponseHead> Proxying::ReadHead() {
  const auto bad = [](std::string_view why) {
    return Failure(UpstreamFault(ErrorCode::kProtocol,
                                 "the upstream does not answer in HTTP: " + std::string(why)));
  };
  size_t before = 0;
  for (;;) {
    size_t scanned = 0;
    std::optional<size_t> end;
    while (!(end = FindHeadEnd(input_.view(), scanned))) {
      if (input_.size() > kMaxHead) return bad("its head is too long");
      if (!TRY(WaitForUpstream())) {
        return Failure(UpstreamFault(ErrorCode::kTimeout, "the upstream did not answer in time"));
      }
      const auto got = upstream_.TryRead(input_.Prepare(kPieceSize));
      if (!got || *got == 0U) {
        return Failure(UpstreamFault(ErrorCode::kProtocol,
                                     "the upstream closed the connection without an answer"));
      }
      if (*got) input_.Commit(**got);
    }
    auto head = ParseResponseHead(input_.view().substr(0, *end), exchange_.request().method);
    if (!head) return bad(head.error().detail);
    input_.Consume(*end);
    if (head->status == 101 && !upgrades_)
      return bad("a switch of protocols that was not asked for");
    // The others below 200 are about this connection only.
    if (head->status >= 200 || head->status == 101) return std::move(*head);
    before += *end;
    if (before > kMaxHead) return bad("what comes before its answer is too long");
  }
}

// The fields of the answer as the client gets them.
Headers Proxying::Answer(const ResponseHead& head) const {
  Headers headers = EndToEnd(head.headers);
  if (options_.amend_answer) options_.amend_answer(headers);
  return headers;
}

Result<void> Proxying::PassOn(const ResponseHead& head) {
  TRY(exchange_.Begin(head.status, Answer(head), head.content_length));
  TRY(PassBody(head));
  return exchange_.Finish();
}

Result<void> Proxying::PassBody(const ResponseHead& head) {
  BodyReader body(head.framing, head.content_length.value_or(0));
  std::vector<char> space(kPieceSize);
  while (!body.done()) {
    const auto got = body.TryRead(upstream_, input_, space, pace_);
    if (!got) {
      return Failure(UpstreamFault(ErrorCode::kProtocol,
                                   "the upstream's answer broke off: " + got.error().message()));
    }
    if (*got) {
      TRY(exchange_.Write({space.data(), **got}));
    } else if (!TRY(WaitForUpstream())) {
      return Failure(UpstreamFault(ErrorCode::kTimeout, "the upstream stopped sending"));
    }
  }
  return {};
}

Result<void> Proxying::Switch(const ResponseHead& head) {
  Headers headers = Answer(head);
  headers.Set("Upgrade", std::string(head.headers.Find("Upgrade").value_or("")));
  const auto client = TRY(exchange_.SwitchProtocols(std::move(headers)));
  RelayRules rules;
  rules.standing = [this] { return exchange_.Standing(); };
  return Relay(*client, upstream_, input_, rules);
}

Result<void> Proxying::Run() {
  pending_ = TRY(MakeHead());
  body_ended_ = !exchange_.request().has_body;
  FlushPending();
  const ResponseHead head = TRY(ReadHead());
  return head.status == 101 ? Switch(head) : PassOn(head);
}

}  // namespace

Result<void> Proxy(Exchange& exchange, Fd upstream, const ProxyOptions& options) {
  TRY(SetNonBlocking(upstream, true));
  return Proxy(exchange, Stream(std::move(upstream)), options);
}

Result<void> Proxy(Exchange& exchange, Stream upstream, const ProxyOptions& options) {
  // None of it is held: how much it takes is for the program behind it to say.
  exchange.SetBodyLimit(std::numeric_limits<uint64_t>::max());
  auto done = Proxying(exchange, std::move(upstream), options).Run();
  if (done || exchange.started()) return done;
  const Error& error = done.error();
  // What the client did wrong is told as what it is.
  const int status = error.code() == ErrorCode::kInvalidArgument    ? 400
                     : error.code() == ErrorCode::kPermissionDenied ? 403
                     : error.fault() == Fault::kCaller              ? 408
                     : error.code() == ErrorCode::kTimeout          ? 504
                                                                    : 502;
  const std::string detail = status == 502 ? "the program behind this address gave no HTTP answer"
                             : status == 504
                                 ? "the program behind this address did not answer in time"
                             : status == 403 ? error.message()
                                             : "the request body could not be read";
  static_cast<void>(exchange.Respond({.status = status,
                                      .headers = {{"Content-Type", "application/problem+json"}},
                                      .body = ProblemBody(status, detail, exchange.request().id)}));
  return done;
}

}  // namespace cay::http
