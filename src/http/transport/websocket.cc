#include "http/transport/websocket.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/encoding.h"

namespace cay::http {
namespace {

constexpr size_t kReadSize = size_t{16} * 1024;

constexpr uint16_t kNormal = 1000;
constexpr uint16_t kProtocolError = 1002;
constexpr uint16_t kNotUtf8 = 1007;
constexpr uint16_t kTooBig = 1009;
constexpr uint16_t kTryAgainLater = 1013;

Error Ended() {
  return {ErrorCode::kUnavailable, Fault::kCaller, "the other side of the WebSocket has gone"};
}

std::string ClosePayload(uint16_t code, std::string_view reason) {
  std::string payload;
  payload += static_cast<char>(code >> 8);
  payload += static_cast<char>(code & 0xff);
  payload += reason.substr(0, 123);  // with the code, what a control frame holds
  return payload;
}

}  // namespace

WebSocketConnection::WebSocketConnection(Stream& stream, InputBuffer& input,
                                         const WebSocketRules& rules)
    : stream_(stream), input_(input), rules_(rules) {
  TakeFrames();  // what came with the handshake
}

bool WebSocketConnection::HasBuffered() const { return Settled() || stream_.HasBuffered(); }

Result<bool> WebSocketConnection::Advance() {
  while (!Settled()) {
    const auto got = stream_.TryRead(input_.Prepare(kReadSize));
    if (!got) {
      error_ = got.error();
    } else if (!*got) {
      CheckSilence();
      break;
    } else if (**got == 0) {
      error_ = Ended();
    } else {
      input_.Commit(**got);
      heard_ = Clock::now();
      pinged_at_.reset();
      TakeFrames();
    }
  }
  return Settled();
}

Result<std::optional<WebSocket::Message>> WebSocketConnection::Read() {
  while (!TRY(Advance())) {
    const auto until = pinged_at_.value_or(heard_) + rules_.silence;
    const auto left = std::chrono::ceil<Millis>(until - Clock::now());
    TRY(stream_.PollReadable(std::max(left, Millis(1))));
  }
  if (ready_) {
    std::optional<Message> message = std::move(ready_);
    ready_.reset();
    TakeFrames();
    return message;
  }
  if (closed_) return std::nullopt;
  return Failure(*error_);
}

// The answer to a ping is waited for even when nobody has looked for longer than that.
void WebSocketConnection::CheckSilence() {
  const auto now = Clock::now();
  if (pinged_at_ && now - *pinged_at_ >= rules_.silence) {
    error_ = Error(ErrorCode::kTimeout, Fault::kCaller,
                   "the other side of the WebSocket has been silent for too long");
  } else if (!pinged_at_ && now - heard_ >= rules_.silence) {
    pinged_at_ = now;
    if (auto sent = SendFrame(Opcode::kPing, {}); !sent) error_ = sent.error();
  }
}

// Until there is a message, the end, or nothing more that is whole.
void WebSocketConnection::TakeFrames() {
  while (!Settled() && TakeFrame()) {
  }
  input_.ReleaseIfEmpty();
}

bool WebSocketConnection::TakeFrame() {
  const auto frame = ParseFrameHead(input_.view(), rules_.is_server);
  if (!frame) {
    Fail(kProtocolError, frame.error());
    return false;
  }
  if (!*frame) return false;
  const FrameHead& head = **frame;
  if (!IsControl(head.opcode) && head.length > rules_.max_message - assembled_.size()) {
    Fail(kTooBig, Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                        "a WebSocket message of more than " + HumanBytes(rules_.max_message)));
    return false;
  }
  const auto length = static_cast<size_t>(head.length);
  if (!HasMemoryFor(length)) {
    Fail(kTryAgainLater, Error(ErrorCode::kResourceExhausted, Fault::kMachine,
                               "the server has no memory for a message of that length"));
    return false;
  }
  if (input_.size() < head.head_bytes + length) return false;
  input_.Consume(head.head_bytes);
  const std::span<char> payload = input_.mutable_view().first(length);
  if (head.mask) Mask(payload, *head.mask);
  const std::string_view bytes(payload.data(), payload.size());
  if (IsControl(head.opcode)) {
    OnControl(head.opcode, bytes);
  } else {
    OnData(head, bytes);
  }
  input_.Consume(length);
  return true;
}

// As it comes, and again in the message.
bool WebSocketConnection::HasMemoryFor(size_t frame_bytes) {
  constexpr size_t kFree = size_t{16} * 1024;
  const size_t needed = 2 * (assembled_.size() + frame_bytes);
  if (rules_.memory == nullptr || needed <= kFree + rules_.memory->size()) return true;
  return rules_.memory->Take(needed - kFree - rules_.memory->size()) == Shares::Taken::kYes;
}

void WebSocketConnection::OnData(const FrameHead& frame, std::string_view payload) {
  const bool continues = frame.opcode == Opcode::kContinuation;
  if (continues != assembling_.has_value()) {
    return Fail(kProtocolError,
                Error(ErrorCode::kProtocol, Fault::kCaller, "WebSocket: fragments out of order"));
  }
  if (!continues) assembling_ = frame.opcode;
  assembled_ += payload;
  if (!frame.final) return;
  const Kind kind = *assembling_ == Opcode::kText ? Kind::kText : Kind::kBinary;
  assembling_.reset();
  if (kind == Kind::kText && !IsUtf8(assembled_)) {
    return Fail(kNotUtf8,
                Error(ErrorCode::kProtocol, Fault::kCaller, "WebSocket: a text that is not UTF-8"));
  }
  ready_ = Message{.kind = kind, .bytes = std::exchange(assembled_, {})};
}

void WebSocketConnection::OnControl(Opcode opcode, std::string_view payload) {
  if (opcode == Opcode::kClose) return OnClose(payload);
  if (opcode != Opcode::kPing) return;
  if (auto sent = SendFrame(Opcode::kPong, payload); !sent) error_ = sent.error();
}

void WebSocketConnection::OnClose(std::string_view payload) {
  uint16_t code = kNormal;
  if (!payload.empty()) {
    if (payload.size() >= 2) {
      code = static_cast<uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                   static_cast<unsigned char>(payload[1]));
    }
    if (payload.size() < 2 || !IsCloseCode(code) || !IsUtf8(payload.substr(2))) {
      return Fail(kProtocolError, Error(ErrorCode::kProtocol, Fault::kCaller,
                                        "WebSocket: a malformed close frame"));
    }
  }
  closed_ = true;
  Close(code, {});
}

void WebSocketConnection::Fail(uint16_t code, Error error) {
  Close(code, {});
  error_ = std::move(error);
}

Result<void> WebSocketConnection::Send(Kind kind, std::string_view bytes) {
  if (closed_ || close_sent_) return Failure(Ended());
  return SendFrame(kind == Kind::kText ? Opcode::kText : Opcode::kBinary, bytes);
}

void WebSocketConnection::Close(uint16_t code, std::string_view reason) {
  if (close_sent_) return;
  // Nothing more can be done for a peer that does not take it.
  static_cast<void>(SendFrame(Opcode::kClose, ClosePayload(code, reason)));
  close_sent_ = true;
}

Result<void> WebSocketConnection::SendFrame(Opcode opcode, std::string_view payload) {
  FrameHead frame{.final = true, .opcode = opcode, .mask = {}, .length = payload.size()};
  if (rules_.is_server) {
    const std::string head = MakeFrameHead(frame);
    const std::array<std::string_view, 2> parts = {head, payload};
    return stream_.Write(parts, rules_.write_pace);
  }
  frame.mask.emplace();
  if (::getrandom(frame.mask->data(), frame.mask->size(), 0) !=
      static_cast<ssize_t>(frame.mask->size())) {
    std::abort();  // getrandom(2): never cut short
  }
  std::string bytes = MakeFrameHead(frame);
  const size_t head_bytes = bytes.size();
  bytes += payload;
  Mask(std::span(bytes).subspan(head_bytes), *frame.mask);
  return stream_.Write(bytes, rules_.write_pace);
}

}  // namespace cay::http
