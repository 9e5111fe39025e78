// ServerExchange: leaving HTTP, for a WebSocket or for bytes as they are.
#include <array>

#include "http/server/server_exchange.h"
#include "http/transport/websocket.h"
#include "http/wire/serialize.h"

namespace cay::http {
namespace {

class SwitchedStream final : public ByteStream {
 public:
  SwitchedStream(Connection& connection, const Pace& read_pace, const Pace& write_pace)
      : connection_(connection), read_pace_(read_pace), write_pace_(write_pace) {}

  int fd() const override { return connection_.stream.fd(); }
  bool HasBuffered() const override {
    return !connection_.input.empty() || connection_.stream.HasBuffered();
  }
  Result<size_t> Read(std::span<char> space) override {
    if (const size_t taken = connection_.input.TakeInto(space); taken > 0) return taken;
    return connection_.stream.Read(space, read_pace_);
  }
  Result<void> Write(std::string_view bytes) override {
    return connection_.stream.Write(bytes, write_pace_);
  }
  Result<size_t> TryWrite(std::string_view bytes) override {
    return connection_.stream.TryWrite({&bytes, 1});
  }
  void CloseWrite() override { connection_.stream.CloseWrite(); }

 private:
  Connection& connection_;
  Pace read_pace_;
  Pace write_pace_;
};

}  // namespace

bool ServerExchange::WantsWebSocket() const {
  const Headers& headers = head_.request.headers;
  return head_.request.method == "GET" && !head_.http_1_0 && !head_.request.has_body &&
         headers.ListContains("Connection", "upgrade") &&
         headers.ListContains("Upgrade", "websocket");
}

Result<std::unique_ptr<WebSocket>> ServerExchange::AcceptWebSocket(Headers headers) {
  const Headers& asked = head_.request.headers;
  const auto key = asked.Find("Sec-WebSocket-Key");
  if (!WantsWebSocket() || !key || !IsWebSocketKey(*key)) {
    return Failure(Error::Invalid("this is not a WebSocket handshake (RFC 6455, 4.2.1)")
                       .WithRemedy("connect with a WebSocket client"));
  }
  if (asked.Find("Sec-WebSocket-Version") != "13") {
    return Failure(Error::Invalid("this server speaks only version 13 of WebSocket")
                       .WithRemedy("send Sec-WebSocket-Version: 13"));
  }
  headers.Set("Upgrade", "websocket");
  headers.Set("Sec-WebSocket-Accept", WebSocketAccept(*key));
  TRY(SwitchProtocols(std::move(headers)));
  WebSocketRules rules;
  rules.is_server = true;
  rules.max_message = limits_.max_websocket_message;
  rules.silence = limits_.stall_timeout;
  rules.write_pace = write_pace_;
  rules.memory = &pending_.held;
  return std::make_unique<WebSocketConnection>(connection_.stream, connection_.input, rules);
}

Result<std::unique_ptr<ByteStream>> ServerExchange::SwitchProtocols(Headers headers) {
  if (started()) {
    return Failure(
        Error(ErrorCode::kInternal, Fault::kMachine, "a second response to one request"));
  }
  TRY(CheckHeaders(headers));
  const bool is_tunnel = head_.request.method == "CONNECT";
  if (!is_tunnel) headers.Set("Connection", "Upgrade");
  if (!headers.Find("Date")) headers.Add("Date", std::string(DateNow()));
  if (!headers.Find("X-Request-Id")) headers.Add("X-Request-Id", head_.request.id);
  status_ = is_tunnel ? 200 : 101;
  switched_ = true;
  keep_alive_ = false;
  const std::string head = StatusLineAndHeaders(status_, headers) + "\r\n";
  const std::string_view part = head;
  TRY(Send({&part, 1}));
  return std::make_unique<SwitchedStream>(connection_, read_pace_, write_pace_);
}

}  // namespace cay::http
