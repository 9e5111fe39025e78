// Addresses of IPv4 and IPv6, prefixes of them, and what kind of place an address is. Pure.
//
//   const Address address = TRY(Address::Parse("10.1.2.3"));
//   const Prefix prefix = TRY(Prefix::Parse("10.0.0.0/8"));      // one address is its own prefix
//   prefix.Contains(address); KindOf(address) == AddressKind::kPrivate;
//
// An IPv4 address that is written as an IPv6 one (::ffff:10.1.2.3) is another Address: what is
// dialled or compared is Address::Unmapped.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::network {

enum class Family : uint8_t { kV4 = 4, kV6 = 6 };

class Address {
 public:
  static constexpr size_t kBytes = 16;

  Address() = default;  // 0.0.0.0
  static Address V4(uint32_t host_order);
  static Address V6(const std::array<uint8_t, kBytes>& bytes);

  // As inet_pton reads it, and no other spelling: no "127.1", no octal, no zone. kInvalidArgument.
  static Result<Address> Parse(std::string_view text);
  std::string Text() const;  // as inet_ntop writes it (RFC 5952)

  Family family() const { return family_; }
  uint32_t v4() const;  // host order; of an IPv4 address
  const std::array<uint8_t, kBytes>& bytes() const { return bytes_; }  // IPv4: the first four
  size_t bits() const { return family_ == Family::kV4 ? 32 : 128; }
  bool Bit(size_t index) const;  // from the most significant

  // The IPv4 address in ::ffff:0:0/96; otherwise the address itself.
  Address Unmapped() const;

  friend bool operator==(const Address&, const Address&) = default;
  friend auto operator<=>(const Address&, const Address&) = default;

 private:
  Family family_ = Family::kV4;
  std::array<uint8_t, kBytes> bytes_{};
};

struct Prefix {
  Address address;  // bits after `length` are 0
  uint8_t length = 0;

  // "10.0.0.0/8", "fd00::/8", "192.0.2.7". Bits after the length that are not 0 are an error: the
  // writer meant something else. kInvalidArgument.
  static Result<Prefix> Parse(std::string_view text);
  static Prefix Of(const Address& address) {
    return {address, static_cast<uint8_t>(address.bits())};
  }
  std::string Text() const;  // without "/32" and "/128"
  bool Contains(const Address& other) const;
  bool Contains(const Prefix& other) const;

  friend bool operator==(const Prefix&, const Prefix&) = default;
};

// What an address leads to, by the registries of special addresses (RFC 6890, and the IANA's two
// tables of special-purpose addresses). Everything but kPublic is reached only where a rule and the
// administrator both name it. What is in those tables is not public, even where they say that it is
// globally reachable: an anycast address leads to whoever is nearest, perhaps to one's own router.
enum class AddressKind : uint8_t {
  kPublic,
  kUnspecified,  // 0.0.0.0/8, ::
  kLoopback,     // 127.0.0.0/8, ::1
  kPrivate,      // 10/8, 172.16/12, 192.168/16, fc00::/7, fec0::/10
  kShared,       // 100.64.0.0/10: carriers' (RFC 6598)
  kLinkLocal,    // 169.254.0.0/16, fe80::/10
  kMetadata,     // where clouds tell machines their secrets: 169.254.169.254, fd00:ec2::254 …
  kMulticast,    // 224.0.0.0/4, ff00::/8
  kReserved,     // documentation, benchmarks (198.18.0.0/15 too), 240.0.0.0/4, discard …
  kTunnel,       // holds an IPv4 address that somebody else unpacks: 64:ff9b::/96, 64:ff9b:1::/48,
                 // 2002::/16, 2001::/32, ::a.b.c.d, ::ffff:0:a.b.c.d
};

// Of what Unmapped gives. `2000::/3` is public, and what else there is of IPv6 reserved. An address
// of a tunnel that can be read as one of kMetadata is kMetadata.
AddressKind KindOf(const Address& address);
// Whether any address of it is kPublic.
bool HasPublic(const Prefix& prefix);
// Whether all of it is in one of the ranges of kTunnel.
bool InTunnel(const Prefix& prefix);

// The IPv4 addresses that are in an address of a tunnel: what is at its other end unpacks them.
// Where they are is fixed, except in 64:ff9b:1::/48 (RFC 8215), whose operators choose one of the
// lengths of RFC 6052: there it is each that could be meant.
struct Embedded {
  std::array<Address, 4> addresses;
  size_t count = 0;  // 0: no address of a tunnel
  bool fixed = true;
};
Embedded EmbeddedIn(const Address& address);

// "a private address", for sentences: "10.1.2.3 is a private address".
std::string_view KindText(AddressKind kind);

}  // namespace cay::network
