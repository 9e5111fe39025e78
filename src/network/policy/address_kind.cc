#include <algorithm>
#include <span>

#include "network/policy/address.h"

namespace cay::network {
namespace {

// A range of special addresses. An IPv4 address is in the upper half of `high`, as it is in
// Address::bytes.
struct Range {
  Family family;
  uint64_t high;
  uint64_t low;
  uint8_t length;
  AddressKind kind;
};

constexpr Range V4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint8_t length, AddressKind kind) {
  const uint32_t address = static_cast<uint32_t>(a) << 24 | static_cast<uint32_t>(b) << 16 |
                           static_cast<uint32_t>(c) << 8 | d;
  return {Family::kV4, static_cast<uint64_t>(address) << 32, 0, length, kind};
}

constexpr Range V6(uint64_t high, uint64_t low, uint8_t length, AddressKind kind) {
  return {Family::kV6, high, low, length, kind};
}

using enum AddressKind;

// Where a machine in a cloud is told its secrets, as the clouds' own documentation and cloud-init's
// datasources name them. The first that fits is what counts, so these come first; what else is in
// 169.254.0.0/16 (time, names) is kLinkLocal.
constexpr Range kMetadataAddresses[] = {
    // Amazon EC2, Azure, Google, Oracle, OpenStack, DigitalOcean, Hetzner, IBM, Akamai and others.
    V4(169, 254, 169, 254, 32, kMetadata),
    V4(169, 254, 169, 252, 32, kMetadata),             // Google GKE: the node's metadata server
    V4(169, 254, 170, 2, 32, kMetadata),               // Amazon ECS: credentials of tasks
    V4(169, 254, 170, 23, 32, kMetadata),              // Amazon EKS: Pod Identity
    V4(169, 254, 42, 42, 32, kMetadata),               // Scaleway
    V4(169, 254, 0, 23, 32, kMetadata),                // Tencent
    V4(169, 254, 10, 10, 32, kMetadata),               // Tencent
    V4(100, 100, 100, 200, 32, kMetadata),             // Alibaba
    V4(168, 63, 129, 16, 32, kMetadata),               // Azure: WireServer, amid public addresses
    V4(192, 0, 0, 192, 32, kMetadata),                 // Oracle Cloud Classic
    V6(0xfd00'0ec2'0000'0000, 0x254, 128, kMetadata),  // Amazon EC2
    V6(0xfd00'0ec2'0000'0000, 0x23, 128, kMetadata),   // Amazon EKS: Pod Identity
    V6(0xfd20'00ce'0000'0000, 0x254, 128, kMetadata),  // Google
    V6(0xfd00'00c1'0000'0000, 0xa9fe'a9fe, 128, kMetadata),  // Oracle
    V6(0xfd00'a9fe'a9fe'0000, 0x1, 128, kMetadata),          // Akamai
    V6(0xfe80'0000'0000'0000, 0xa9fe'a9fe, 128, kMetadata),  // OpenStack, Akamai
    V6(0xfd00'0042'0000'0000, 0x42, 128, kMetadata),         // Scaleway
    V6(0xfd00'0100'0000'0000, 0x0100'0200, 128, kMetadata),  // Alibaba
};

// https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry (of
// 2024-10-22), multicast, and what is left of IPv6 outside 2000::/3. The first that fits counts.
constexpr Range kSpecial[] = {
    V4(0, 0, 0, 0, 8, kUnspecified),     // "this network" (RFC 791); Linux dials itself at 0.0.0.0
    V4(10, 0, 0, 0, 8, kPrivate),        // RFC 1918
    V4(100, 64, 0, 0, 10, kShared),      // RFC 6598
    V4(127, 0, 0, 0, 8, kLoopback),      // RFC 1122
    V4(169, 254, 0, 0, 16, kLinkLocal),  // RFC 3927
    V4(172, 16, 0, 0, 12, kPrivate),     // RFC 1918
    V4(192, 0, 0, 0, 24, kReserved),     // IETF protocols (RFC 6890): anycast of PCP, TURN …
    V4(192, 0, 2, 0, 24, kReserved),     // documentation (RFC 5737)
    V4(192, 31, 196, 0, 24, kReserved),  // AS112 (RFC 7535): anycast
    V4(192, 52, 193, 0, 24, kReserved),  // AMT (RFC 7450): anycast
    V4(192, 88, 99, 0, 24, kReserved),   // relays of 6to4 (RFC 7526): anycast
    V4(192, 168, 0, 0, 16, kPrivate),    // RFC 1918
    V4(192, 175, 48, 0, 24, kReserved),  // AS112 (RFC 7534): anycast
    V4(198, 18, 0, 0, 15, kReserved),    // benchmarks (RFC 2544)
    V4(198, 51, 100, 0, 24, kReserved),  // documentation (RFC 5737)
    V4(203, 0, 113, 0, 24, kReserved),   // documentation (RFC 5737)
    V4(224, 0, 0, 0, 4, kMulticast),     // RFC 5771
    V4(240, 0, 0, 0, 4, kReserved),      // RFC 1112, and broadcast
    V6(0, 0, 128, kUnspecified),         // RFC 4291
    V6(0, 1, 128, kLoopback),            // RFC 4291
    V6(0, 0, 96, kTunnel),               // IPv4-compatible (RFC 4291)
    V6(0, 0xffff'0000'0000'0000, 96, kTunnel),     // IPv4-translated (RFC 2765)
    V6(0x0064'ff9b'0000'0000, 0, 96, kTunnel),     // NAT64 (RFC 6052)
    V6(0x0064'ff9b'0001'0000, 0, 48, kTunnel),     // NAT64 of one's own (RFC 8215)
    V6(0x2001'0000'0000'0000, 0, 32, kTunnel),     // Teredo (RFC 4380)
    V6(0x2001'0000'0000'0000, 0, 23, kReserved),   // IETF protocols (RFC 2928): ORCHID, anycast …
    V6(0x2001'0db8'0000'0000, 0, 32, kReserved),   // documentation (RFC 3849)
    V6(0x2002'0000'0000'0000, 0, 16, kTunnel),     // 6to4 (RFC 3056)
    V6(0x2620'004f'8000'0000, 0, 48, kReserved),   // AS112 (RFC 7534): anycast
    V6(0x3fff'0000'0000'0000, 0, 20, kReserved),   // documentation (RFC 9637)
    V6(0xfc00'0000'0000'0000, 0, 7, kPrivate),     // RFC 4193
    V6(0xfe80'0000'0000'0000, 0, 10, kLinkLocal),  // RFC 4291
    V6(0xfec0'0000'0000'0000, 0, 10, kPrivate),    // sites' own (RFC 3879), not used any more
    V6(0xff00'0000'0000'0000, 0, 8, kMulticast),   // RFC 4291
    V6(0, 0, 3, kReserved),                        // discard, and what is not given out
    V6(0x4000'0000'0000'0000, 0, 2, kReserved),    // SRv6 (5f00::/16), and what is not given out
    V6(0x8000'0000'0000'0000, 0, 1, kReserved),    // what is not given out
};

// Where in the bytes of an address of a tunnel IPv4 addresses are.
using Places = std::array<uint8_t, 4>;
constexpr Places kAtTheEnd = {12, 13, 14, 15};
constexpr Places kAfter6to4 = {2, 3, 4, 5};
constexpr Places kTeredoServer = {4, 5, 6, 7};
// After 48, 56 and 64 bits, without the eighth byte (RFC 6052 section 2.2), which is 0; after 96.
constexpr Places kLocalNat64[] = {{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, kAtTheEnd};

uint64_t Half(const Address& address, size_t from) {
  uint64_t half = 0;
  for (size_t i = 0; i < 8; ++i) half = half << 8 | address.bytes()[from + i];
  return half;
}

// The first `length` bits of 64.
constexpr uint64_t Mask(size_t length) {
  if (length == 0) return 0;
  return length >= 64 ? ~uint64_t{0} : ~uint64_t{0} << (64 - length);
}

bool SameBits(uint64_t high, uint64_t low, uint64_t other_high, uint64_t other_low, size_t length) {
  return ((high ^ other_high) & Mask(length)) == 0 &&
         (length <= 64 || ((low ^ other_low) & Mask(length - 64)) == 0);
}

bool Holds(const Range& range, const Prefix& prefix) {
  return range.family == prefix.address.family() && range.length <= prefix.length &&
         SameBits(range.high, range.low, Half(prefix.address, 0), Half(prefix.address, 8),
                  range.length);
}

bool Holds(const Prefix& prefix, const Range& range) {
  return range.family == prefix.address.family() && prefix.length <= range.length &&
         SameBits(range.high, range.low, Half(prefix.address, 0), Half(prefix.address, 8),
                  prefix.length);
}

// The first range that has all of it.
const Range* Find(std::span<const Range> ranges, const Prefix& prefix) {
  const auto found =
      std::ranges::find_if(ranges, [&](const Range& range) { return Holds(range, prefix); });
  return found == ranges.end() ? nullptr : &*found;
}

Address Read(const Address& address, const Places& places, uint32_t inverted = 0) {
  uint32_t v4 = 0;
  for (const uint8_t place : places) v4 = v4 << 8 | address.bytes()[place];
  return Address::V4(v4 ^ inverted);
}

bool IsMetadata(const Address& address) {
  return Find(kMetadataAddresses, Prefix::Of(address)) != nullptr;
}

// The prefix with one bit more, which is `bit`.
Prefix HalfOf(const Prefix& prefix, bool bit) {
  auto bytes = prefix.address.bytes();
  if (bit) bytes[prefix.length / 8] |= static_cast<uint8_t>(0x80U >> (prefix.length % 8));
  const auto length = static_cast<uint8_t>(prefix.length + 1);
  if (prefix.address.family() == Family::kV6) return {Address::V6(bytes), length};
  return {Read(Address::V6(bytes), {0, 1, 2, 3}), length};
}

}  // namespace

AddressKind KindOf(const Address& address) {
  const Address unmapped = address.Unmapped();
  if (IsMetadata(unmapped)) return kMetadata;
  const Range* range = Find(kSpecial, Prefix::Of(unmapped));
  if (range == nullptr) return kPublic;
  if (range->kind != kTunnel) return range->kind;
  const Embedded inner = EmbeddedIn(unmapped);
  const std::span read(inner.addresses.data(), inner.count);
  return std::ranges::any_of(read, IsMetadata) ? kMetadata : kTunnel;
}

bool HasPublic(const Prefix& prefix) {
  const auto has_some = [&](const Range& range) { return Holds(prefix, range); };
  if (Find(kMetadataAddresses, prefix) != nullptr || Find(kSpecial, prefix) != nullptr)
    return false;
  if (std::ranges::none_of(kMetadataAddresses, has_some) &&
      std::ranges::none_of(kSpecial, has_some)) {
    return true;
  }
  // No range has all of it and some have a part, so it is no single address and has two halves. As
  // deep as the longest range, and wide only where ranges are.
  return HasPublic(HalfOf(prefix, false)) || HasPublic(HalfOf(prefix, true));
}

bool InTunnel(const Prefix& prefix) {
  return std::ranges::any_of(
      kSpecial, [&](const Range& range) { return range.kind == kTunnel && Holds(range, prefix); });
}

Embedded EmbeddedIn(const Address& address) {
  Embedded embedded;
  const auto add = [&](const Address& inner) { embedded.addresses[embedded.count++] = inner; };
  const Range* range = Find(kSpecial, Prefix::Of(address));
  if (range == nullptr || range->kind != kTunnel) return embedded;
  // The tunnels that are not at the end of a /96 differ in the length of their range.
  if (range->length == 16) {
    add(Read(address, kAfter6to4));
  } else if (range->length == 32) {
    add(Read(address, kTeredoServer));
    add(Read(address, kAtTheEnd, ~uint32_t{0}));  // the client's, inverted
  } else if (range->length == 48) {
    embedded.fixed = false;
    for (const Places& places : kLocalNat64) {
      // Read at a wrong place: nobody is at such an address.
      if (const Address inner = Read(address, places); inner.v4() >> 24 != 0) add(inner);
    }
  } else {
    add(Read(address, kAtTheEnd));
  }
  return embedded;
}

std::string_view KindText(AddressKind kind) {
  switch (kind) {
    case kPublic:
      return "a public address";
    case kUnspecified:
      return "an unspecified address";
    case kLoopback:
      return "a loopback address";
    case kPrivate:
      return "a private address";
    case kShared:
      return "a shared address of carriers";
    case kLinkLocal:
      return "a link-local address";
    case kMetadata:
      return "an address of a cloud's metadata";
    case kMulticast:
      return "a multicast address";
    case kReserved:
      return "a reserved address";
    case kTunnel:
      return "an address of a tunnel to IPv4";
  }
  return "a special address";
}

}  // namespace cay::network
