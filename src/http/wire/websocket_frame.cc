#include "http/wire/websocket_frame.h"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>

#include "base/encoding.h"
#include "crypto/digest.h"

namespace cay::http {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t kMaxControl = 125;

Failure Forbidden(std::string_view what) {
  return Failure(Error(ErrorCode::kProtocol, Fault::kCaller, "WebSocket: " + std::string(what)));
}

uint64_t BigEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

Result<std::optional<FrameHead>> ParseFrameHead(std::string_view bytes, bool expects_mask) {
  if (bytes.size() < 2) return std::nullopt;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  FrameHead frame;
  frame.final = (first & 0x80U) != 0;
  if ((first & 0x70U) != 0) return Forbidden("a reserved bit");
  const unsigned opcode = first & 0x0fU;
  if (opcode > 10 || (opcode > 2 && opcode < 8)) return Forbidden("a reserved opcode");
  frame.opcode = static_cast<Opcode>(opcode);
  const bool masked = (second & 0x80U) != 0;
  if (masked != expects_mask) return Forbidden(masked ? "a masked frame" : "an unmasked frame");
  frame.length = second & 0x7fU;
  if (IsControl(frame.opcode) && (!frame.final || frame.length > kMaxControl)) {
    return Forbidden("a control frame that is long or in fragments");
  }
  const size_t extra = frame.length == 126 ? 2 : frame.length == 127 ? 8 : 0;
  frame.head_bytes = 2 + extra + (masked ? 4 : 0);
  if (bytes.size() < frame.head_bytes) return std::nullopt;
  if (extra > 0) {
    frame.length = BigEndian(bytes.substr(2, extra));
    const uint64_t least = extra == 2 ? 126 : uint64_t{1} << 16;
    if (frame.length < least || frame.length >> 63 != 0)
      return Forbidden("a length that is not in its shortest form, or over its maximum");
  }
  if (masked) {
    frame.mask.emplace();
    std::ranges::transform(bytes.substr(2 + extra, 4), frame.mask->begin(),
                           [](char byte) { return static_cast<uint8_t>(byte); });
  }
  return frame;
}

std::string MakeFrameHead(const FrameHead& frame) {
  std::string head;
  const auto put = [&](uint64_t byte) { head += static_cast<char>(byte & 0xffU); };
  put((frame.final ? 0x80U : 0U) | static_cast<unsigned>(frame.opcode));
  const unsigned masked = frame.mask ? 0x80U : 0U;
  int extra = 0;
  if (frame.length <= kMaxControl) {
    put(masked | frame.length);
  } else if (frame.length <= UINT16_MAX) {
    put(masked | 126U);
    extra = 2;
  } else {
    put(masked | 127U);
    extra = 8;
  }
  for (int i = extra - 1; i >= 0; --i) put(frame.length >> (8 * i));
  if (frame.mask) {
    for (const uint8_t byte : *frame.mask) put(byte);
  }
  return head;
}

void Mask(std::span<char> payload, const FrameMask& mask) {
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<char>(static_cast<uint8_t>(payload[i]) ^ mask[i % mask.size()]);
  }
}

bool IsCloseCode(uint16_t code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

std::string WebSocketAccept(std::string_view key) {
  const std::string joined = std::string(key) + std::string(kGuid);
  const auto digest = Sha1(joined);
  if (!digest) std::abort();  // only for want of memory
  return EncodeBase64(*digest);
}

std::string NewWebSocketKey() {
  std::array<unsigned char, 16> random{};
  // getrandom(2): up to 256 bytes are never cut short.
  if (::getrandom(random.data(), random.size(), 0) != static_cast<ssize_t>(random.size())) {
    std::abort();
  }
  return EncodeBase64({reinterpret_cast<const char*>(random.data()), random.size()});
}

bool IsWebSocketKey(std::string_view key) {
  const auto bytes = DecodeBase64(key);
  return bytes && bytes->size() == 16;
}

}  // namespace cay::http
