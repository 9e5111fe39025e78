// WebSocketConnection: a WebSocket over a stream, either end. Own code, not Boost.Beast's: that one
// neither says what it has buffered nor answers a ping without waiting for the next message, so a
// thread that waits for something else as well cannot use it
// (docs/decisions/0014-threads-for-requests.md).
#pragma once

#include <chrono>

#include "base/supply/shares.h"
#include "http/exchange.h"
#include "http/transport/stream.h"
#include "http/wire/input_buffer.h"
#include "http/wire/websocket_frame.h"

namespace cay::http {

struct WebSocketRules {
  bool is_server = true;
  size_t max_message = 1 * kMiB;
  // Of silence before a ping is sent, and again before the peer is given up.
  Millis silence{30'000};
  Pace write_pace;
  // The memory in which messages of more than a few bytes are put together; outlives it. Null: not
  // bounded.
  Shares::Part* memory = nullptr;
};

class WebSocketConnection final : public WebSocket {
 public:
  // `stream` and `input` outlive it.
  WebSocketConnection(Stream& stream, InputBuffer& input, const WebSocketRules& rules);

  int fd() const override { return stream_.fd(); }
  bool HasBuffered() const override;
  Result<bool> Advance() override;
  Result<std::optional<Message>> Read() override;
  Result<void> Send(Kind kind, std::string_view bytes) override;
  void Close(uint16_t code, std::string_view reason) override;

 private:
  using Clock = std::chrono::steady_clock;

  bool Settled() const { return ready_.has_value() || closed_ || error_.has_value(); }
  void TakeFrames();
  bool TakeFrame();
  bool HasMemoryFor(size_t frame_bytes);
  void OnData(const FrameHead& frame, std::string_view payload);
  void OnControl(Opcode opcode, std::string_view payload);
  void OnClose(std::string_view payload);
  void CheckSilence();
  void Fail(uint16_t code, Error error);
  Result<void> SendFrame(Opcode opcode, std::string_view payload);

  Stream& stream_;
  InputBuffer& input_;
  WebSocketRules rules_;

  std::optional<Opcode> assembling_;  // of a message in fragments
  std::string assembled_;
  std::optional<Message> ready_;
  bool closed_ = false;  // the peer has said so
  bool close_sent_ = false;
  std::optional<Error> error_;  // no more can be read
  Clock::time_point heard_ = Clock::now();
  std::optional<Clock::time_point> pinged_at_;  // and nothing has come since
};

}  // namespace cay::http
