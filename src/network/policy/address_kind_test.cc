#include <gtest/gtest.h>

#include <ostream>
#include <span>

#include "network/policy/address.h"

namespace cay::network {

// For messages of failed tests.
void PrintTo(AddressKind kind, std::ostream* out) { *out << KindText(kind); }

namespace {

using enum AddressKind;

Address Parsed(std::string_view text) { return Address::Parse(text).value(); }
AddressKind Kind(std::string_view text) { return KindOf(Parsed(text)); }
Prefix Range(std::string_view text) { return Prefix::Parse(text).value(); }

// The address `by` after it, in its family.
Address Next(const Address& address, int by) {
  if (address.family() == Family::kV4) {
    return Address::V4(address.v4() + static_cast<uint32_t>(by));
  }
  auto bytes = address.bytes();
  for (size_t i = bytes.size(); i-- > 0;) {
    bytes[i] = static_cast<uint8_t>(bytes[i] + by);
    if (bytes[i] != (by > 0 ? 0 : 0xff)) break;
  }
  return Address::V6(bytes);
}

// The first and the last address of a range, and what stands on both sides of it.
struct Edges {
  const char *first, *last;
  AddressKind before, kind, after;
};

constexpr Edges kV4Ranges[] = {
    {"0.0.0.0", "0.255.255.255", kReserved, kUnspecified, kPublic},  // before it, 255.255.255.255
    {"10.0.0.0", "10.255.255.255", kPublic, kPrivate, kPublic},
    {"100.64.0.0", "100.127.255.255", kPublic, kShared, kPublic},
    {"127.0.0.0", "127.255.255.255", kPublic, kLoopback, kPublic},
    {"169.254.0.0", "169.254.255.255", kPublic, kLinkLocal, kPublic},
    {"172.16.0.0", "172.31.255.255", kPublic, kPrivate, kPublic},
    {"192.0.0.0", "192.0.0.255", kPublic, kReserved, kPublic},
    {"192.0.2.0", "192.0.2.255", kPublic, kReserved, kPublic},
    {"192.31.196.0", "192.31.196.255", kPublic, kReserved, kPublic},
    {"192.52.193.0", "192.52.193.255", kPublic, kReserved, kPublic},
    {"192.88.99.0", "192.88.99.255", kPublic, kReserved, kPublic},
    {"192.168.0.0", "192.168.255.255", kPublic, kPrivate, kPublic},
    {"192.175.48.0", "192.175.48.255", kPublic, kReserved, kPublic},
    {"198.18.0.0", "198.19.255.255", kPublic, kReserved, kPublic},
    {"198.51.100.0", "198.51.100.255", kPublic, kReserved, kPublic},
    {"203.0.113.0", "203.0.113.255", kPublic, kReserved, kPublic},
    {"224.0.0.0", "239.255.255.255", kPublic, kMulticast, kReserved},
    {"240.0.0.0", "255.255.255.255", kMulticast, kReserved, kUnspecified},
};

constexpr Edges kV6Ranges[] = {
    {"::", "::", kMulticast, kUnspecified, kLoopback},  // before it, the last of them all
    {"::1", "::1", kUnspecified, kLoopback, kTunnel},
    {"::2", "::255.255.255.255", kLoopback, kTunnel, kReserved},
    {"::ffff:0:0.0.0.0", "::ffff:0:255.255.255.255", kReserved, kTunnel, kReserved},
    {"64:ff9b::", "64:ff9b::255.255.255.255", kReserved, kTunnel, kReserved},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", kReserved, kTunnel, kReserved},
    {"100::", "100::ffff:ffff:ffff:ffff", kReserved, kReserved, kReserved},
    {"100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", kReserved, kReserved, kReserved},
    {"2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kReserved, kPublic, kTunnel},
    {"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", kPublic, kTunnel, kReserved},
    {"2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", kTunnel, kReserved, kPublic},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", kPublic, kReserved, kPublic},
    {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPublic, kTunnel, kPublic},
    {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", kPublic, kReserved, kPublic},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", kPublic, kReserved, kPublic},
    {"3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kReserved, kPublic, kReserved},
    {"4000::", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPublic, kReserved, kReserved},
    {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kReserved, kReserved, kReserved},
    {"8000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kReserved, kReserved, kPrivate},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kReserved, kPrivate, kReserved},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kReserved, kLinkLocal, kPrivate},
    {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kLinkLocal, kPrivate, kMulticast},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", kPrivate, kMulticast, kUnspecified},
};

TEST(KindOf, ChangesExactlyAtTheEdgesOfTheRegistriesRanges) {
  for (const auto& ranges :
       {std::span<const Edges>(kV4Ranges), std::span<const Edges>(kV6Ranges)}) {
    for (const Edges& edges : ranges) {
      EXPECT_EQ(KindOf(Next(Parsed(edges.first), -1)), edges.before) << "before " << edges.first;
      EXPECT_EQ(Kind(edges.first), edges.kind) << edges.first;
      EXPECT_EQ(Kind(edges.last), edges.kind) << edges.last;
      EXPECT_EQ(KindOf(Next(Parsed(edges.last), 1)), edges.after) << "after " << edges.last;
    }
  }
}

TEST(KindOf, IsPublicForWhatPeopleReach) {
  for (const char* text : {"1.1.1.1", "8.8.8.8", "93.184.215.14", "168.63.129.15", "192.0.1.1",
                           "2606:4700:4700::1111", "2a00:1450:4001::1", "3ffe::1", "2400::"}) {
    EXPECT_EQ(Kind(text), kPublic) << text;
  }
}

TEST(KindOf, KnowsMetadataAmidOtherAddresses) {
  struct Place {
    const char* address;
    AddressKind beside;
  };
  for (const Place& place : {
           Place{"169.254.169.254", kLinkLocal},
           Place{"169.254.169.252", kLinkLocal},
           Place{"169.254.170.2", kLinkLocal},
           Place{"169.254.170.23", kLinkLocal},
           Place{"169.254.42.42", kLinkLocal},
           Place{"169.254.0.23", kLinkLocal},
           Place{"169.254.10.10", kLinkLocal},
           Place{"100.100.100.200", kShared},
           Place{"168.63.129.16", kPublic},
           Place{"192.0.0.192", kReserved},
           Place{"fd00:ec2::254", kPrivate},
           Place{"fd00:ec2::23", kPrivate},
           Place{"fd20:ce::254", kPrivate},
           Place{"fd00:c1::a9fe:a9fe", kPrivate},
           Place{"fd00:a9fe:a9fe::1", kPrivate},
           Place{"fe80::a9fe:a9fe", kLinkLocal},
           Place{"fd00:42::42", kPrivate},
           Place{"fd00:100::100:200", kPrivate},
       }) {
    EXPECT_EQ(Kind(place.address), kMetadata) << place.address;
    EXPECT_EQ(KindOf(Next(Parsed(place.address), 1)), place.beside) << place.address;
    EXPECT_EQ(KindOf(Next(Parsed(place.address), -1)), place.beside) << place.address;
  }
}

TEST(KindOf, SeesThroughMappedAddresses) {
  EXPECT_EQ(Kind("::ffff:10.1.2.3"), kPrivate);
  EXPECT_EQ(Kind("::ffff:8.8.8.8"), kPublic);
  EXPECT_EQ(Kind("::ffff:169.254.169.254"), kMetadata);
  EXPECT_EQ(Kind("::ffff:0.0.0.0"), kUnspecified);
}

TEST(KindOf, FindsMetadataInEveryTunnel) {
  for (const char* text : {
           "::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b::169.254.169.254",
           "64:ff9b::a9fe:a9fe",
           "64:ff9b::6464:64c8",          // 100.100.100.200
           "64:ff9b:1::169.254.169.254",  // after 96 bits
           "64:ff9b:1:a9fe:a9:fe00::",    // after 48
           "64:ff9b:1:a9:fe:a9fe::",      // after 56
           "64:ff9b:1:7:a9:fea9:fe00:0",  // after 64
           "2002:a9fe:a9fe::1",
           "2001:0:a9fe:a9fe::",            // Teredo's server
           "2001:0:808:808:0:0:5601:5601",  // Teredo's client, inverted
       }) {
    EXPECT_EQ(Kind(text), kMetadata) << text;
  }
  for (const char* text : {"64:ff9b::169.254.169.253", "2002:a9fe:a9fd::1", "::169.254.169.255",
                           "2001:0:808:808:0:0:5601:5602", "64:ff9b:1::8.8.8.8"}) {
    EXPECT_EQ(Kind(text), kTunnel) << text;
  }
}

TEST(EmbeddedIn, ReadsTheAddressWhereATunnelHasIt) {
  struct Case {
    const char *address, *inner;
  };
  for (const Case& one :
       {Case{"::10.1.2.3", "10.1.2.3"}, Case{"::ffff:0:10.1.2.3", "10.1.2.3"},
        Case{"64:ff9b::10.1.2.3", "10.1.2.3"}, Case{"2002:a01:203:ffff::7f00:1", "10.1.2.3"}}) {
    const Embedded inner = EmbeddedIn(Parsed(one.address));
    ASSERT_EQ(inner.count, 1U) << one.address;
    EXPECT_TRUE(inner.fixed);
    EXPECT_EQ(inner.addresses[0], Parsed(one.inner)) << one.address;
  }
  const Embedded teredo = EmbeddedIn(Parsed("2001:0:4136:e378:8000:63bf:3fff:fdd2"));  // RFC 4380
  ASSERT_EQ(teredo.count, 2U);
  EXPECT_EQ(teredo.addresses[0], Parsed("65.54.227.120"));
  EXPECT_EQ(teredo.addresses[1], Parsed("192.0.2.45"));
}

TEST(EmbeddedIn, TakesEachReadingWhereThePlaceIsNotFixed) {
  const Embedded inner = EmbeddedIn(Parsed("64:ff9b:1:a01:2:300::"));
  EXPECT_FALSE(inner.fixed);
  ASSERT_EQ(inner.count, 3U);
  EXPECT_EQ(inner.addresses[0], Parsed("10.1.2.3"));  // after 48 bits
  EXPECT_EQ(inner.addresses[1], Parsed("1.2.3.0"));   // after 56
  EXPECT_EQ(inner.addresses[2], Parsed("2.3.0.0"));   // after 64; after 96 is 0.0.0.0, nobody's
}

TEST(EmbeddedIn, IsNothingForWhatIsNoTunnel) {
  for (const char* text : {"10.1.2.3", "::", "::1", "2001:1::10.1.2.3", "fd00::10.1.2.3",
                           "64:ff9b::1:10.1.2.3", "64:ff9b:2::10.1.2.3", "2003:a01:203::"}) {
    EXPECT_EQ(EmbeddedIn(Parsed(text)).count, 0U) << text;
  }
}

TEST(HasPublic, IsSoAsSoonAsOneAddressIsPublic) {
  for (const char* text :
       {"0.0.0.0/0", "0.0.0.0/7", "8.8.8.8", "8.0.0.0/6", "126.0.0.0/7", "168.63.129.16/31",
        "168.63.129.0/24", "192.0.0.0/22", "192.0.0.0/16", "192.0.0.0/3", "::/0", "::/1",
        "2000::/3", "2000::/15", "2001:db8::/31", "2002::/15", "3ffe::/15", "3fff::/19"}) {
    EXPECT_TRUE(HasPublic(Range(text))) << text;
  }
}

TEST(HasPublic, IsNotSoForRangesThatSpecialOnesCoverTogether) {
  for (const char* text :
       {"10.0.0.0/8",      "10.1.2.3",      "224.0.0.0/3", "224.0.0.0/4",    "240.0.0.0/5",
        "255.255.255.255", "168.63.129.16", "192.0.0.192", "169.254.0.0/16", "::/3",
        "::/96",           "::1",           "4000::/2",    "8000::/1",       "c000::/2",
        "e000::/3",        "fc00::/6",      "fe80::/9",    "2001::/23",      "2001::/31",
        "2001::/33",       "2002::/16",     "::/128"}) {
    EXPECT_FALSE(HasPublic(Range(text))) << text;
  }
}

TEST(InTunnel, IsSoForRangesThatHaveNothingElse) {
  for (const char* text :
       {"::/96", "::8.8.8.8", "64:ff9b::/96", "64:ff9b::10.0.0.0/104", "2002::/16", "2002:a00::/24",
        "2001::/32", "64:ff9b:1::/48", "::ffff:0:0:0/96"}) {
    EXPECT_TRUE(InTunnel(Range(text))) << text;
  }
  for (const char* text : {"::/0", "::/95", "64:ff9b::/95", "64:ff9b::/32", "64:ff9b::/47",
                           "2002::/15", "2001::/31", "2001:1::/32", "0.0.0.0/0", "10.0.0.0/8"}) {
    EXPECT_FALSE(InTunnel(Range(text))) << text;
  }
}

TEST(KindText, HasWordsForEveryKind) {
  EXPECT_EQ(KindText(kPrivate), "a private address");
  EXPECT_EQ(KindText(kPublic), "a public address");
  for (int kind = 0; kind <= static_cast<int>(kTunnel); ++kind) {
    EXPECT_NE(KindText(static_cast<AddressKind>(kind)), "a special address") << kind;
  }
}

}  // namespace
}  // namespace cay::network
