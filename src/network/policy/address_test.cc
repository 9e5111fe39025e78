#include "network/policy/address.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

Address Parsed(std::string_view text) { return Address::Parse(text).value(); }
Prefix Range(std::string_view text) { return Prefix::Parse(text).value(); }

TEST(Address, ReadsWhatInetPtonReads) {
  EXPECT_EQ(Parsed("0.0.0.0"), Address());
  EXPECT_EQ(Parsed("192.0.2.7"), Address::V4(0xc0000207));
  EXPECT_EQ(Parsed("255.255.255.255").v4(), 0xffffffff);
  EXPECT_EQ(Parsed("::").family(), Family::kV6);
  EXPECT_EQ(Parsed("FD00::7"), Parsed("fd00:0:0:0:0:0:0:7"));
  EXPECT_EQ(Parsed("::ffff:10.1.2.3"), Parsed("::ffff:a01:203"));
  EXPECT_EQ(Parsed("1:2:3:4:5:6:7::"), Parsed("1:2:3:4:5:6:7:0"));
  EXPECT_EQ(Parsed("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"),
            Parsed("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
}

TEST(Address, RefusesEveryOtherSpelling) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "127.1"sv,
                                      "10.1.2"sv,
                                      "10.1.2.3.4"sv,
                                      "10.1.2."sv,
                                      ".10.1.2.3"sv,
                                      "10..2.3"sv,
                                      "010.0.0.1"sv,
                                      "10.0.0.00"sv,
                                      "10.0.0.01"sv,
                                      "0x7f.0.0.1"sv,
                                      "0x7f000001"sv,
                                      "2130706433"sv,
                                      "10.0.0.256"sv,
                                      "10.0.0.-1"sv,
                                      "+10.0.0.1"sv,
                                      "10.0.0.1 "sv,
                                      " 10.0.0.1"sv,
                                      "10.0.0.1\n"sv,
                                      "10.0.0.1\0"sv,
                                      "10.0.0.1\0.5"sv,
                                      "10.0.0.1:80"sv,
                                      "10.0.0.1/32"sv,
                                      "[10.0.0.1]"sv,
                                      ":"sv,
                                      ":::"sv,
                                      "1::2::3"sv,
                                      "1:2:3:4:5:6:7"sv,
                                      "1:2:3:4:5:6:7:8:9"sv,
                                      "12345::"sv,
                                      "g::"sv,
                                      "fe80::1%eth0"sv,
                                      "fe80::1%1"sv,
                                      "[::1]"sv,
                                      "::1/128"sv,
                                      "::1\0"sv,
                                      "::ffff:010.0.0.1"sv,
                                      "::ffff:10.0.1"sv,
                                      "::10.0.0.1:1"sv,
                                      "example.com"sv,
                                      "１0.0.0.1"sv,
                                      "10。0。0。1"sv,
                                      "0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0"sv}) {
    const auto address = Address::Parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(Address, IsWrittenAsRfc5952Says) {
  EXPECT_EQ(Parsed("10.1.2.3").Text(), "10.1.2.3");
  EXPECT_EQ(Parsed("2001:0DB8:0:0:1:0:0:1").Text(), "2001:db8::1:0:0:1");
  EXPECT_EQ(Parsed("2001:db8:0:1:1:1:1:1").Text(), "2001:db8:0:1:1:1:1:1");
  EXPECT_EQ(Parsed("0:0:0:0:0:ffff:a01:203").Text(), "::ffff:10.1.2.3");
  EXPECT_EQ(Parsed("0:0:0:0:0:0:0:0").Text(), "::");
}

TEST(Address, TextIsReadBackAsTheSameAddress) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "::", "::1", "::1.2.3.4", "::ffff:1.2.3.4",
                           "64:ff9b::1.2.3.4", "1:2:3:4:5:6:7:8", "1:0:0:4:0:0:0:8", "ff02::1"}) {
    EXPECT_EQ(Parsed(Parsed(text).Text()), Parsed(text)) << text;
  }
}

TEST(Address, CountsBitsFromTheMostSignificant) {
  const Address v4 = Parsed("128.0.0.1");
  EXPECT_TRUE(v4.Bit(0));
  EXPECT_FALSE(v4.Bit(1));
  EXPECT_FALSE(v4.Bit(30));
  EXPECT_TRUE(v4.Bit(31));
  const Address v6 = Parsed("4000::1");
  EXPECT_FALSE(v6.Bit(0));
  EXPECT_TRUE(v6.Bit(1));
  EXPECT_TRUE(v6.Bit(127));
}

TEST(Address, IsUnmappedOnlyOutOfItsOwnRange) {
  EXPECT_EQ(Parsed("::ffff:10.1.2.3").Unmapped(), Parsed("10.1.2.3"));
  EXPECT_EQ(Parsed("::ffff:0:0").Unmapped(), Parsed("0.0.0.0"));
  for (const char* text : {"10.1.2.3", "::10.1.2.3", "::fffe:10.1.2.3", "::1:ffff:10.1.2.3",
                           "64:ff9b::10.1.2.3", "1::ffff:10.1.2.3"}) {
    EXPECT_EQ(Parsed(text).Unmapped(), Parsed(text)) << text;
  }
}

TEST(Address, OfTwoFamiliesAreDifferentEvenWithTheSameBytes) {
  EXPECT_NE(Parsed("0.0.0.0"), Parsed("::"));
  EXPECT_NE(Parsed("10.1.2.3"), Parsed("::ffff:10.1.2.3"));
}

TEST(Prefix, ReadsRangesAndSingleAddresses) {
  EXPECT_EQ(Range("10.0.0.0/8"), (Prefix{Parsed("10.0.0.0"), 8}));
  EXPECT_EQ(Range("192.0.2.7"), (Prefix{Parsed("192.0.2.7"), 32}));
  EXPECT_EQ(Range("192.0.2.7/32"), Range("192.0.2.7"));
  EXPECT_EQ(Range("0.0.0.0/0"), (Prefix{Address(), 0}));
  EXPECT_EQ(Range("fd00::/8").length, 8);
  EXPECT_EQ(Range("::1").length, 128);
  EXPECT_EQ(Range("::1/128"), Range("::1"));
  EXPECT_EQ(Range("::/0").length, 0);
}

TEST(Prefix, RefusesLengthsThatAreNone) {
  for (const char* text : {"10.0.0.0/",
                           "10.0.0.0/33",
                           "10.0.0.0/128",
                           "10.0.0.0/-1",
                           "10.0.0.0/+8",
                           "10.0.0.0/08",
                           "10.0.0.0/00",
                           "10.0.0.0/8 ",
                           "10.0.0.0/ 8",
                           "10.0.0.0/8/8",
                           "10.0.0.0/255.0.0.0",
                           "10.0.0.0/0x8",
                           "10.0.0.0/256",
                           "10.0.0.0/264",
                           "10.0.0.0/4294967304",
                           "::/129",
                           "::/999",
                           "/8",
                           "10/8",
                           "10.0.0/8",
                           "fe80::%1/64"}) {
    EXPECT_FALSE(Prefix::Parse(text)) << text;
  }
}

TEST(Prefix, RefusesBitsAfterItsLengthAndSaysWhatCouldBeMeant) {
  const auto bad = Prefix::Parse("10.1.2.3/8");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message().find("after the first 8"), std::string::npos);
  EXPECT_EQ(bad.error().remedy().text(),
            "write 10.0.0.0/8 for the range, or 10.1.2.3 for the one address");
  for (const char* text : {"0.0.0.1/31", "128.0.0.0/0", "10.0.0.2/30", "fd00::1/127", "fd80::/8",
                           "8000::/0", "::ffff:0:0/95"}) {
    EXPECT_FALSE(Prefix::Parse(text)) << text;
  }
  for (const char* text : {"0.0.0.2/31", "128.0.0.0/1", "10.0.0.4/30", "fd00::2/127", "8000::/1"}) {
    EXPECT_TRUE(Prefix::Parse(text)) << text;
  }
}

TEST(Prefix, IsWrittenWithoutTheLengthOfOneAddress) {
  for (const char* text : {"10.0.0.0/8", "192.0.2.7", "0.0.0.0/0", "fd00::/8", "::1", "::/0"}) {
    EXPECT_EQ(Range(text).Text(), text);
  }
  EXPECT_EQ(Range("192.0.2.7/32").Text(), "192.0.2.7");
}

TEST(Prefix, ContainsItsFirstAndLastAddressAndNoNeighbour) {
  struct Edges {
    const char *range, *before, *first, *last, *after;
  };
  for (const Edges& edges : {
           Edges{"10.0.0.0/8", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
           Edges{"10.1.2.0/23", "10.1.1.255", "10.1.2.0", "10.1.3.255", "10.1.4.0"},
           Edges{"10.1.2.4/31", "10.1.2.3", "10.1.2.4", "10.1.2.5", "10.1.2.6"},
           Edges{"10.1.2.4/32", "10.1.2.3", "10.1.2.4", "10.1.2.4", "10.1.2.5"},
           Edges{"128.0.0.0/1", "127.255.255.255", "128.0.0.0", "255.255.255.255", "::"},
           Edges{"fd00::/8", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                 "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
           Edges{"fd00::/65", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                 "fd00::", "fd00::7fff:ffff:ffff:ffff", "fd00::8000:0:0:0"},
           Edges{"::4/127", "::3", "::4", "::5", "::6"},
           Edges{"::4/128", "::3", "::4", "::4", "::5"},
       }) {
    const Prefix range = Range(edges.range);
    EXPECT_FALSE(range.Contains(Parsed(edges.before))) << edges.range;
    EXPECT_TRUE(range.Contains(Parsed(edges.first))) << edges.range;
    EXPECT_TRUE(range.Contains(Parsed(edges.last))) << edges.range;
    EXPECT_FALSE(range.Contains(Parsed(edges.after))) << edges.range;
  }
}

TEST(Prefix, OfOneFamilyHasNothingOfTheOther) {
  EXPECT_TRUE(Range("0.0.0.0/0").Contains(Parsed("255.255.255.255")));
  EXPECT_FALSE(Range("0.0.0.0/0").Contains(Parsed("::")));
  EXPECT_FALSE(Range("0.0.0.0/0").Contains(Parsed("::ffff:10.1.2.3")));
  EXPECT_TRUE(Range("::/0").Contains(Parsed("::ffff:10.1.2.3")));
  EXPECT_FALSE(Range("::/0").Contains(Parsed("10.1.2.3")));
}

TEST(Prefix, ContainsRangesThatAreNoWiderThanItself) {
  EXPECT_TRUE(Range("10.0.0.0/8").Contains(Range("10.0.0.0/8")));
  EXPECT_TRUE(Range("10.0.0.0/8").Contains(Range("10.128.0.0/9")));
  EXPECT_FALSE(Range("10.0.0.0/8").Contains(Range("10.0.0.0/7")));
  EXPECT_FALSE(Range("10.0.0.0/8").Contains(Range("11.0.0.0/9")));
  EXPECT_FALSE(Range("0.0.0.0/0").Contains(Range("::/0")));
}

}  // namespace
}  // namespace cay::network
