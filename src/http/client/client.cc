#include "http/client/client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <vector>

#include "base/text.h"
#include "http/client/connector.h"
#include "http/transport/body_reader.h"
#include "http/transport/websocket.h"
#include "http/wire/head.h"
#include "http/wire/input_buffer.h"
#include "http/wire/serialize.h"

namespace cay::http {
namespace {

constexpr size_t kMaxHead = 64 * kKiB;
constexpr size_t kReadSize = 16 * kKiB;
constexpr size_t kSendSize = 64 * kKiB;
// A command may run for days without a word. That the server's machine is there is checked by TCP.
constexpr Millis kPatience = std::chrono::hours(24 * 30);
// Of a request with a timeout: its receiver may not take it byte by byte for ever.
constexpr uint64_t kMinSendRate = 1024;
constexpr size_t kMaxRefusal = 64 * kKiB;

// One connection; shared by the client and the response that is read from it.
struct Link {
  explicit Link(Stream connected) : stream(std::move(connected)) {
    read_pace.stall = kPatience;
    write_pace.stall = kPatience;
  }
  Stream stream;
  InputBuffer input;
  Pace read_pace;
  Pace write_pace;
  bool reusable =
      false;  // the last response has been read to its end, and the server keeps the connection
};

Error ServerGone() {
  return {ErrorCode::kUnavailable, Fault::kMachine, "the server closed the connection"};
}

Error BadAnswer(std::string_view detail) {
  return {ErrorCode::kProtocol, Fault::kMachine,
          "the server's answer is not HTTP: " + std::string(detail)};
}

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

// How long the next read may wait.
Result<void> SetReadPatience(Link& link, const Deadline& deadline) {
  link.read_pace.stall = kPatience;
  if (!deadline) return {};
  const auto left = std::chrono::ceil<Millis>(*deadline - std::chrono::steady_clock::now());
  if (left <= Millis(0)) {
    return Failure(Error(ErrorCode::kTimeout, Fault::kMachine, "the server took too long"));
  }
  link.read_pace.stall = left;
  return {};
}

// The next head but those of interim responses.
Result<ResponseHead> ReadHead(Link& link, std::string_view method, const Deadline& deadline = {}) {
  for (;;) {
    size_t scanned = 0;
    std::optional<size_t> end;
    while (!(end = FindHeadEnd(link.input.view(), scanned))) {
      if (link.input.size() > kMaxHead) return Failure(BadAnswer("its head is too long"));
      TRY(SetReadPatience(link, deadline));
      const size_t got = TRY(link.stream.Read(link.input.Prepare(kReadSize), link.read_pace));
      link.read_pace.stall = kPatience;
      if (got == 0) return Failure(ServerGone());
      link.input.Commit(got);
    }
    auto head = ParseResponseHead(link.input.view().substr(0, *end), method);
    if (!head) return Failure(BadAnswer(head.error().detail));
    link.input.Consume(*end);
    if (head->status >= 200 || head->status == 101) return std::move(*head);
  }
}

class Response final : public ClientResponse {
 public:
  Response(std::shared_ptr<Link> link, ResponseHead head)
      : link_(std::move(link)),
        head_(std::move(head)),
        body_(head_.framing, head_.content_length.value_or(0)) {
    NoteEnd();
  }

  int status() const override { return head_.status; }
  const Headers& headers() const override { return head_.headers; }
  int fd() const override { return link_->stream.fd(); }
  Result<std::optional<size_t>> TryRead(std::span<char> space) override {
    auto got = body_.TryRead(link_->stream, link_->input, space, link_->read_pace);
    if (got) NoteEnd();
    return got;
  }
  Result<size_t> Read(std::span<char> space) override {
    if (body_.done()) return size_t{0};
    auto got = body_.Read(link_->stream, link_->input, space, link_->read_pace);
    if (got) NoteEnd();
    return got;
  }

 private:
  void NoteEnd() {
    if (body_.done() && head_.keep_alive) link_->reusable = true;
  }

  std::shared_ptr<Link> link_;
  ResponseHead head_;
  BodyReader body_;
};

class OwnedWebSocket final : public WebSocket {
 public:
  explicit OwnedWebSocket(std::shared_ptr<Link> link)
      : link_(std::move(link)), socket_(link_->stream, link_->input, Rules()) {}

  int fd() const override { return socket_.fd(); }
  bool HasBuffered() const override { return socket_.HasBuffered(); }
  Result<bool> Advance() override { return socket_.Advance(); }
  Result<std::optional<Message>> Read() override { return socket_.Read(); }
  Result<void> Send(Kind kind, std::string_view bytes) override {
    return socket_.Send(kind, bytes);
  }
  void Close(uint16_t code, std::string_view reason) override { socket_.Close(code, reason); }

 private:
  static WebSocketRules Rules() {
    WebSocketRules rules;
    rules.is_server = false;
    rules.max_message = 16 * kMiB;
    return rules;
  }

  std::shared_ptr<Link> link_;
  WebSocketConnection socket_;
};

class ClientImpl final : public Client {
 public:
  ClientImpl(Url url, Millis connect_timeout, std::shared_ptr<TlsContext> tls)
      : url_(std::move(url)), connect_timeout_(connect_timeout), tls_(std::move(tls)) {}

  Result<std::unique_ptr<ClientResponse>> Send(ClientRequest request) override;
  Result<std::unique_ptr<WebSocket>> OpenWebSocket(std::string_view target,
                                                   const Headers& headers) override;

 private:
  Result<std::shared_ptr<Link>> NewLink(int stop_fd = -1) const {
    return std::make_shared<Link>(TRY(Connect(url_, tls_.get(), connect_timeout_, stop_fd)));
  }
  Result<std::string> MakeHead(const ClientRequest& request) const;
  Result<std::unique_ptr<ClientResponse>> SendHead(ClientRequest& request, const std::string& head);
  Result<std::unique_ptr<ClientResponse>> Exchange(ClientRequest& request, const std::string& head);
  std::string Host() const;

  Url url_;
  Millis connect_timeout_;
  std::shared_ptr<TlsContext> tls_;  // of https
  std::shared_ptr<Link> link_;
};

std::string ClientImpl::Host() const {
  if (url_.scheme == "unix") return "localhost";
  const std::string text = url_.ToString();
  return text.substr(text.find("://") + 3);
}

Result<std::string> ClientImpl::MakeHead(const ClientRequest& request) const {
  Headers headers = request.headers;
  if (!headers.Find("Host")) headers.Set("Host", Host());
  const bool has_method_for_body =
      request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (request.source && !request.source_length) {
    headers.Set("Transfer-Encoding", "chunked");
  } else if (request.source || !request.body.empty() || has_method_for_body) {
    headers.Set("Content-Length",
                std::to_string(request.source ? *request.source_length : request.body.size()));
  }
  TRY(CheckHeaders(headers));
  const auto is_visible = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  };
  if (request.target.empty() || !std::ranges::all_of(request.target, is_visible) ||
      request.method.empty() || !std::ranges::all_of(request.method, is_visible)) {
    return Failure(Error::Invalid("a request target with a space or a control character"));
  }
  return RequestLineAndHeaders(request.method, request.target, headers) + "\r\n";
}

// Whether the server has said something, or has gone. What poll(2) reports may be TLS's own
// (session tickets).
bool HasAnswered(Link& link) {
  if (!link.input.empty()) return true;
  if (!link.stream.PollReadable(Millis(0)).value_or(true)) return false;
  const auto got = link.stream.TryRead(link.input.Prepare(kReadSize));
  if (got && !*got) return false;
  if (got) link.input.Commit(**got);
  return true;
}

// Sends what the source gives. False when the server has answered before the end.
Result<bool> SendSource(Link& link, const ClientRequest& request) {
  std::vector<char> space(kSendSize);
  uint64_t sent = 0;
  for (;;) {
    const size_t got = TRY(request.source(space));
    if (got > space.size() || (request.source_length && got > *request.source_length - sent)) {
      return Failure(Error::Invalid("the request body is longer than was said"));
    }
    if (got == 0) break;
    if (HasAnswered(link)) return false;
    const std::string_view piece(space.data(), got);
    const std::string chunk_head = ChunkHead(got);
    const std::array<std::string_view, 3> chunk = {chunk_head, piece, kChunkEnd};
    // A server that refuses the body answers and closes: the answer says more than this error.
    const auto written = request.source_length ? link.stream.Write(piece, link.write_pace)
                                               : link.stream.Write(chunk, link.write_pace);
    if (!written) return false;
    sent += got;
  }
  if (request.source_length) {
    if (sent != *request.source_length) {
      return Failure(Error::Invalid("the request body is shorter than was said"));
    }
    return true;
  }
  return link.stream.Write(kLastChunk, link.write_pace).has_value();
}

Result<std::unique_ptr<ClientResponse>> ClientImpl::Exchange(ClientRequest& request,
                                                             const std::string& head) {
  // Held here until the response is whole; a failure drops it.
  const std::shared_ptr<Link> link = std::exchange(link_, nullptr);
  link->reusable = false;
  Deadline deadline;
  link->write_pace = Pace{.stall = request.timeout.value_or(kPatience), .stop_fd = request.stop_fd};
  link->read_pace = Pace{.stall = kPatience, .stop_fd = request.stop_fd};
  if (request.timeout) {
    deadline = std::chrono::steady_clock::now() + *request.timeout;
    link->write_pace.min_bytes_per_second = kMinSendRate;
  }
  bool whole = true;
  if (request.source) {
    TRY(link->stream.Write(head, link->write_pace));
    whole = TRY(SendSource(*link, request));
  } else {
    const std::array<std::string_view, 2> parts = {head, request.body};
    whole = link->stream.Write(parts, link->write_pace).has_value();
  }
  ResponseHead answer = TRY(ReadHead(*link, request.method, deadline));
  if (!whole) answer.keep_alive = false;
  if (request.body_patience) {
    link->read_pace.stall = request.body_patience->stall;
    link->read_pace.min_bytes_per_second = request.body_patience->min_bytes_per_second;
    link->read_pace.window = request.body_patience->window;
  }
  link_ = link;
  return std::make_unique<Response>(link, std::move(answer));
}

Result<std::unique_ptr<ClientResponse>> ClientImpl::Send(ClientRequest request) {
  std::string head = TRY(MakeHead(request));
  auto response = SendHead(request, head);
  Wipe(head);
  request.headers.WipeAll("Authorization");
  return response;
}

Result<std::unique_ptr<ClientResponse>> ClientImpl::SendHead(ClientRequest& request,
                                                             const std::string& head) {
  // Bytes that come unasked, or the end: the server has closed it.
  if (link_ && (!link_->reusable || HasAnswered(*link_))) link_.reset();
  const bool kept = link_ != nullptr;
  if (!kept) link_ = TRY(NewLink(request.stop_fd));
  auto response = Exchange(request, head);
  // RFC 9110, 9.2.2: what may be sent twice.
  const bool repeatable =
      !request.source && (request.method == "GET" || request.method == "HEAD" ||
                          request.method == "PUT" || request.method == "DELETE");
  if (response || !kept || !repeatable || response.error().code() != ErrorCode::kUnavailable) {
    return response;
  }
  link_ = TRY(NewLink(request.stop_fd));
  return Exchange(request, head);
}

Result<std::unique_ptr<WebSocket>> ClientImpl::OpenWebSocket(std::string_view target,
                                                             const Headers& headers) {
  const std::string key = NewWebSocketKey();
  ClientRequest request;
  request.target = target;
  request.headers = headers;
  request.headers.Set("Connection", "Upgrade");
  request.headers.Set("Upgrade", "websocket");
  request.headers.Set("Sec-WebSocket-Version", "13");
  request.headers.Set("Sec-WebSocket-Key", key);
  const std::string head = TRY(MakeHead(request));
  auto link = TRY(NewLink());
  TRY(link->stream.Write(head, link->write_pace));
  ResponseHead answer = TRY(ReadHead(*link, request.method));
  if (answer.status != 101) {
    const int status = answer.status;
    Response refusal(link, std::move(answer));
    const ErrorCode code = status == 404                    ? ErrorCode::kNotFound
                           : status == 401 || status == 403 ? ErrorCode::kPermissionDenied
                                                            : ErrorCode::kProtocol;
    return Failure(Error(code, Fault::kCaller,
                         "the server did not open the WebSocket: " + std::to_string(status) + " " +
                             refusal.ReadAll(kMaxRefusal).value_or("")));
  }
  if (answer.headers.Find("Sec-WebSocket-Accept") != WebSocketAccept(key) ||
      !answer.headers.ListContains("Upgrade", "websocket")) {
    return Failure(BadAnswer("a handshake that is not WebSocket's"));
  }
  return std::make_unique<OwnedWebSocket>(std::move(link));
}

}  // namespace

Result<std::string> ClientResponse::ReadAll(size_t max_bytes) {
  std::string body;
  std::vector<char> space(kSendSize);
  for (;;) {
    const size_t got = TRY(Read(space));
    if (got == 0) return body;
    if (got > max_bytes - body.size()) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kMachine,
                           "the server's answer is larger than " + HumanBytes(max_bytes)));
    }
    body.append(space.data(), got);
  }
}

std::unique_ptr<Client> Client::OpenWith(const Url& url, Millis connect_timeout,
                                         std::shared_ptr<TlsContext> tls) {
  return std::make_unique<ClientImpl>(url, connect_timeout, std::move(tls));
}

Result<std::unique_ptr<Client>> Client::Open(const Url& url, Millis connect_timeout,
                                             const std::string& ca_file) {
  std::shared_ptr<TlsContext> tls;
  if (url.scheme == "https") tls = TRY(TlsContext::ForClient(ca_file));
  return std::make_unique<ClientImpl>(url, connect_timeout, std::move(tls));
}

}  // namespace cay::http
