#include "base/encoding.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace cay {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 0xFF;
constexpr size_t kAsciiBlock = 64;

constexpr std::array<uint8_t, 256> MakeDigits() {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    digits[static_cast<unsigned char>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return digits;
}
constexpr std::array<uint8_t, 256> kDigits = MakeDigits();

// What a first byte promises; 0 for one that cannot be first.
size_t PromisedLength(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Whether `second` may follow `lead`: a continuation, and no overlong form, surrogate or value too
// high.
bool MayFollow(unsigned char lead, unsigned char second) {
  if ((second & 0xC0) != 0x80) return false;
  switch (lead) {
    case 0xE0:
      return second >= 0xA0;
    case 0xF0:
      return second >= 0x90;
    case 0xED:
      return second <= 0x9F;
    case 0xF4:
      return second <= 0x8F;
    default:
      return true;
  }
}

}  // namespace

size_t Utf8SequenceLength(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t length = PromisedLength(at(0));
  if (length == 0 || text.size() < length) return 0;
  if (length > 1 && !MayFollow(at(0), at(1))) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

size_t AsciiPrefix(std::string_view text) {
  size_t at = 0;
  // In blocks, so that the compiler makes one comparison of many.
  for (; text.size() - at >= kAsciiBlock; at += kAsciiBlock) {
    unsigned char all = 0;
    for (size_t i = 0; i < kAsciiBlock; ++i) all |= static_cast<unsigned char>(text[at + i]);
    if (all >= 0x80) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

bool IsUtf8(std::string_view text) {
  while (true) {
    text.remove_prefix(AsciiPrefix(text));
    if (text.empty()) return true;
    // What is not ASCII seldom stands alone.
    do {
      const size_t length = Utf8SequenceLength(text);
      if (length == 0) return false;
      text.remove_prefix(length);
    } while (!text.empty() && static_cast<unsigned char>(text.front()) >= 0x80);
  }
}

size_t IncompleteUtf8Tail(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    if (PromisedLength(byte) <= back) return 0;
    if (back > 1 && !MayFollow(byte, static_cast<unsigned char>(text[text.size() - back + 1]))) {
      return 0;
    }
    return back;
  }
  return 0;
}

size_t IncompleteUtf8Head(std::string_view text) {
  const auto is_rest = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; };
  const std::string_view first = text.substr(0, 4);
  const auto rest = static_cast<size_t>(std::ranges::find_if_not(first, is_rest) - first.begin());
  return rest > 3 ? 0 : rest;  // nothing makes four of them right
}

std::string ToUtf8Lossy(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const size_t length = Utf8SequenceLength(bytes);
    if (length == 0) {
      text += "\uFFFD";
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(std::max<size_t>(1, length));
  }
  return text;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  char* to = text.data();
  const auto at = [&](size_t i) {
    return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    *to++ = kAlphabet[group >> 18];
    *to++ = kAlphabet[group >> 12 & 63];
    *to++ = kAlphabet[group >> 6 & 63];
    *to++ = kAlphabet[group & 63];
  }
  const size_t rest = bytes.size() - i;
  if (rest == 0) return text;
  const uint32_t group = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0U);
  *to++ = kAlphabet[group >> 18];
  *to++ = kAlphabet[group >> 12 & 63];
  if (rest == 2) *to = kAlphabet[group >> 6 & 63];
  return text;
}

Result<std::string> DecodeBase64(std::string_view text) {
  const auto bad = [] { return Failure(Error::Invalid("not base64 (RFC 4648, with padding)")); };
  if (text.size() % 4 != 0) return bad();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t i = 0; i < text.size(); i += 4) {
    size_t digits = 4;
    const bool last = i + 4 == text.size();
    while (last && digits > 2 && text[i + digits - 1] == '=') --digits;
    const std::string_view group = text.substr(i, digits);
    uint32_t value = 0;
    for (const char c : group) {
      const uint8_t digit = kDigits[static_cast<unsigned char>(c)];
      if (digit == kNoDigit) return bad();
      value = value << 6 | digit;
    }
    value <<= 6 * (4 - digits);
    // The bits that stand for no byte are zero: one text for one value.
    if ((value & (0xFFFFFFU >> (8 * (digits - 1)))) != 0) return bad();
    for (size_t k = 0; k + 1 < digits; ++k) {
      bytes.push_back(static_cast<char>(value >> (16 - 8 * k) & 0xFF));
    }
  }
  return bytes;
}

std::string EncodeHex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    hex += kHexDigits[byte >> 4];
    hex += kHexDigits[byte & 15];
  }
  return hex;
}

}  // namespace cay
