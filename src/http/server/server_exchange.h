// ServerExchange: an Exchange on a Connection.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "http/exchange.h"
#include "http/server/connection.h"
#include "http/server/pending_request.h"
#include "http/server/server.h"

namespace cay::http {

class ServerExchange final : public Exchange {
 public:
  // All outlive it.
  ServerExchange(Connection& connection, PendingRequest& pending, const ServerLimits& limits,
                 const std::atomic<bool>& draining, int ending_fd);

  Request& request() override { return head_.request; }
  Result<size_t> ReadBody(std::span<char> space) override;
  Result<std::optional<size_t>> TryReadBody(std::span<char> space) override;
  Result<std::string> ReadWholeBody(size_t max_bytes) override;
  void SetBodyLimit(uint64_t max_bytes) override { body_limit_ = max_bytes; }

  Result<void> Respond(Response response) override;
  Result<void> Begin(int status, Headers headers, std::optional<uint64_t> content_length) override;
  Result<void> Write(std::string_view bytes) override;
  Result<void> Finish() override;
  bool started() const override { return status_ != 0; }
  int status() const override { return status_; }
  uint64_t bytes_written() const override { return written_; }
  int socket() const override { return connection_.stream.fd(); }
  int ending_fd() const override { return ending_fd_; }

  bool WantsWebSocket() const override;
  Result<std::unique_ptr<WebSocket>> AcceptWebSocket(Headers headers) override;
  Result<std::unique_ptr<ByteStream>> SwitchProtocols(Headers headers) override;

  // After the handler: answers 500 when the handler did not answer, and skips what has come of a
  // body that it left. Returns whether the connection can carry another request.
  bool Conclude();

 private:
  // How the response's body is delimited.
  enum class Sending : uint8_t { kNothing, kNoBody, kLength, kChunked, kUntilClose };

  Result<std::string> MakeHead(int status, Headers headers, std::optional<uint64_t> content_length);
  Result<void> Send(std::span<const std::string_view> parts);
  void DecideKeepAlive(const Headers& headers);
  Result<std::optional<size_t>> TryReadNext(std::span<char> space);
  bool BodyTaken() const { return body_.done() && ahead_used_ == pending_.ahead.size(); }
  bool DrainBody();

  Connection& connection_;
  PendingRequest& pending_;
  RequestHead& head_;  // of `pending_`, as is the body
  BodyReader& body_;
  size_t ahead_used_ = 0;
  const ServerLimits& limits_;
  const std::atomic<bool>& draining_;
  int ending_fd_;
  uint64_t body_limit_;
  uint64_t body_taken_ = 0;
  Pace read_pace_;
  Pace write_pace_;
  Sending sending_ = Sending::kNothing;
  int status_ = 0;
  uint64_t length_ = 0;   // promised, of kLength
  uint64_t written_ = 0;  // of the body
  bool keep_alive_;
  bool continue_due_;  // the client waits for 100
  bool finished_ = false;
  bool unreadable_ = false;  // the body has failed: what follows it cannot be found
  bool unwritable_ = false;  // nothing sensible can be sent any more
  bool switched_ = false;
};

}  // namespace cay::http
