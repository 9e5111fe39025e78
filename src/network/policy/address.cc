#include "network/policy/address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace cay::network {
namespace {

// RFC 4291, 2.5.5.2.
constexpr std::array<uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

Address Address::V4(uint32_t host_order) {
  Address address;
  for (size_t i = 0; i < 4; ++i) {
    address.bytes_[i] = static_cast<uint8_t>(host_order >> (24 - 8 * i) & 0xffU);
  }
  return address;
}

Address Address::V6(const std::array<uint8_t, kBytes>& bytes) {
  Address address;
  address.family_ = Family::kV6;
  address.bytes_ = bytes;
  return address;
}

Result<Address> Address::Parse(std::string_view text) {
  const std::string copy(text);
  Address address;
  const bool whole = copy.find('\0') == std::string::npos;
  if (whole && ::inet_pton(AF_INET, copy.c_str(), address.bytes_.data()) == 1) return address;
  address.family_ = Family::kV6;
  if (whole && ::inet_pton(AF_INET6, copy.c_str(), address.bytes_.data()) == 1) return address;
  return Failure(Error::Invalid("\"" + copy + "\" is not an address of IPv4 or IPv6"));
}

std::string Address::Text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = family_ == Family::kV4 ? AF_INET : AF_INET6;
  return ::inet_ntop(family, bytes_.data(), text.data(), text.size());
}

uint32_t Address::v4() const {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | bytes_[i];
  return value;
}

bool Address::Bit(size_t index) const { return (bytes_[index / 8] >> (7 - index % 8) & 1U) != 0; }

Address Address::Unmapped() const {
  if (family_ == Family::kV4 || !std::equal(kMapped.begin(), kMapped.end(), bytes_.begin())) {
    return *this;
  }
  Address address;
  std::copy(bytes_.begin() + 12, bytes_.end(), address.bytes_.begin());
  return address;
}

}  // namespace cay::network
