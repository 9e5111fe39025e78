// For tests: DNS messages, made by hand.
//
//   Message(id, Question("a.test", kA), {A("a.test", "192.0.2.1")})
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "network/policy/address.h"

namespace cay::network::dns_test {

inline constexpr uint16_t kA = 1;
inline constexpr uint16_t kCname = 5;
inline constexpr uint16_t kAaaa = 28;
inline constexpr uint16_t kResponse = 0x8180;  // with recursion
inline constexpr uint16_t kTruncated = 0x0200;
inline constexpr uint16_t kFormat = 1;
inline constexpr uint16_t kFailed = 2;
inline constexpr uint16_t kNoSuchName = 3;
inline constexpr uint32_t kTtl = 30;

inline std::string U16(uint64_t value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
inline std::string U32(uint32_t value) { return U16(value >> 16) + U16(value); }

inline std::string Name(std::string_view name) {
  std::string wire;
  for (const std::string_view label : Split(name, '.')) {
    wire += static_cast<char>(label.size());
    wire += label;
  }
  return wire + '\0';
}

inline std::string Question(std::string_view name, uint16_t type) {
  return Name(name) + U16(type) + U16(1);
}

// `owner` is as it stands in a message: Name(…), or a pointer.
inline std::string Record(const std::string& owner, uint16_t type, const std::string& data,
                          uint32_t ttl = kTtl) {
  return owner + U16(type) + U16(1) + U32(ttl) + U16(data.size()) + data;
}

inline std::string AddressBytes(std::string_view text) {
  const Address address = *Address::Parse(text);
  const size_t size = address.family() == Family::kV4 ? 4 : 16;
  return {address.bytes().begin(), address.bytes().begin() + static_cast<ptrdiff_t>(size)};
}
inline std::string A(std::string_view name, std::string_view address, uint32_t ttl = kTtl) {
  return Record(Name(name), kA, AddressBytes(address), ttl);
}
inline std::string Aaaa(std::string_view name, std::string_view address, uint32_t ttl = kTtl) {
  return Record(Name(name), kAaaa, AddressBytes(address), ttl);
}
inline std::string Cname(std::string_view name, std::string_view target, uint32_t ttl = kTtl) {
  return Record(Name(name), kCname, Name(target), ttl);
}

inline std::string Message(uint16_t id, const std::string& question,
                           const std::vector<std::string>& records, uint16_t flags = 0) {
  std::string message =
      U16(id) + U16(kResponse | flags) + U16(1) + U16(records.size()) + U16(0) + U16(0) + question;
  for (const std::string& record : records) message += record;
  return message;
}

}  // namespace cay::network::dns_test
