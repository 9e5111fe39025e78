#include "network/policy/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/encoding.h"

namespace cay::network {
namespace {

constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

std::string Shown(std::string_view text) {
  // What is longer than any address is not repeated: its writer knows it.
  if (text.size() > INET6_ADDRSTRLEN + 4)
    return "a text of " + std::to_string(text.size()) + " bytes";
  return "\"" + ToUtf8Lossy(text) + "\"";
}

// Decimal, without sign and leading zeros; nothing over `most`.
std::optional<uint8_t> ParseLength(std::string_view text, size_t most) {
  if (text.empty() || text.size() > 3 || (text.size() > 1 && text.front() == '0')) return {};
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) return {};
  return static_cast<uint8_t>(value);
}

// With the bits after the first `length` cleared.
Address Masked(const Address& address, size_t length) {
  auto bytes = address.bytes();
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t kept = length > i * 8 ? std::min<size_t>(length - i * 8, 8) : 0;
    bytes[i] = static_cast<uint8_t>(bytes[i] & (0xff00U >> kept));
  }
  if (address.family() == Family::kV6) return Address::V6(bytes);
  uint32_t v4 = 0;
  for (size_t i = 0; i < 4; ++i) v4 = v4 << 8 | bytes[i];
  return Address::V4(v4);
}

}  // namespace

Address Address::V4(uint32_t host_order) {
  Address address;
  for (size_t i = 0; i < 4; ++i) {
    address.bytes_[i] = static_cast<uint8_t>(host_order >> (24 - 8 * i));
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
  // inet_pton reads up to a NUL, which is no end of what was written.
  std::array<char, INET6_ADDRSTRLEN + 1> terminated{};
  if (text.size() < terminated.size() && text.find('\0') == std::string_view::npos) {
    std::ranges::copy(text, terminated.begin());
    in_addr v4{};
    if (inet_pton(AF_INET, terminated.data(), &v4) == 1) return V4(ntohl(v4.s_addr));
    std::array<uint8_t, kBytes> v6{};
    if (inet_pton(AF_INET6, terminated.data(), v6.data()) == 1) return V6(v6);
  }
  return Failure(Error::Invalid("not an IP address: " + Shown(text))
                     .WithRemedy("write it as in 192.0.2.7 or 2001:db8::7"));
}

std::string Address::Text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  const int family = family_ == Family::kV4 ? AF_INET : AF_INET6;
  return inet_ntop(family, bytes_.data(), out.data(), static_cast<socklen_t>(out.size()));
}

uint32_t Address::v4() const {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | bytes_[i];
  return value;
}

bool Address::Bit(size_t index) const {
  return (static_cast<unsigned>(bytes_[index / 8]) >> (7 - index % 8) & 1U) != 0;
}

Address Address::Unmapped() const {
  if (family_ != Family::kV6 || std::memcmp(bytes_.data(), kMapped.data(), kMapped.size()) != 0) {
    return *this;
  }
  Address inner;
  std::ranges::copy(bytes_.begin() + kMapped.size(), bytes_.end(), inner.bytes_.begin());
  return inner;
}

Result<Prefix> Prefix::Parse(std::string_view text) {
  const size_t slash = text.find('/');
  Prefix prefix = Of(TRY(Address::Parse(text.substr(0, slash))));
  if (slash == std::string_view::npos) return prefix;
  const size_t bits = prefix.address.bits();
  const auto length = ParseLength(text.substr(slash + 1), bits);
  if (!length) {
    return Failure(
        Error::Invalid("not an address range: " + Shown(text))
            .WithRemedy("after the / comes how many bits all its addresses begin with: a "
                        "number up to " +
                        std::to_string(bits)));
  }
  prefix.length = *length;
  const Prefix meant{Masked(prefix.address, *length), *length};
  if (meant.address != prefix.address) {
    return Failure(Error::Invalid("not an address range: " + Shown(text) +
                                  " has bits that are set after the first " +
                                  std::to_string(*length))
                       .WithRemedy("write " + meant.Text() + " for the range, or " +
                                   prefix.address.Text() + " for the one address"));
  }
  return prefix;
}

std::string Prefix::Text() const {
  if (length == address.bits()) return address.Text();
  return address.Text() + "/" + std::to_string(length);
}

bool Prefix::Contains(const Address& other) const {
  return other.family() == address.family() && Masked(other, length) == address;
}

bool Prefix::Contains(const Prefix& other) const {
  return other.length >= length && Contains(other.address);
}

}  // namespace cay::network
