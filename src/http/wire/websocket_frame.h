// Frames of WebSockets (RFC 6455, section 5), and the key of their handshake (section 4.2.2). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::http {

enum class Opcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};
inline bool IsControl(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

using FrameMask = std::array<uint8_t, 4>;

struct FrameHead {
  bool final = true;
  Opcode opcode = Opcode::kBinary;
  std::optional<FrameMask> mask;
  uint64_t length = 0;    // of the payload
  size_t head_bytes = 0;  // what stands before it
};

// Nothing while the head is not whole. kProtocol for what RFC 6455 forbids: reserved bits and
// opcodes, long or fragmented control frames, lengths that are not as short as can be, and a mask
// where there must be none, or none where there must be one (`expects_mask`: it is from a client).
Result<std::optional<FrameHead>> ParseFrameHead(std::string_view bytes, bool expects_mask);

std::string MakeFrameHead(const FrameHead& frame);

// Applies the mask, or takes it off.
void Mask(std::span<char> payload, const FrameMask& mask);

// Whether a close frame may carry it (7.4).
bool IsCloseCode(uint16_t code);

// The value of Sec-WebSocket-Accept for that of Sec-WebSocket-Key.
std::string WebSocketAccept(std::string_view key);
// 16 random bytes in base64.
std::string NewWebSocketKey();
// Whether a client's key is well-formed.
bool IsWebSocketKey(std::string_view key);

}  // namespace cay::http
