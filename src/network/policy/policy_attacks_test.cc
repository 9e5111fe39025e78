// The ways in which one thing is spelled as another, so that a check sees one and a connection gets
// the other. Each is asked of policies that allow as much as can be written down.
#include <gtest/gtest.h>

#include "network/policy/policy.h"

namespace cay::network {
namespace {

using Texts = std::vector<std::string>;

Address Parsed(std::string_view text) { return Address::Parse(text).value(); }

Policy Compiled(const Spec& spec, const Bounds& bounds = {}) {
  auto policy = Policy::Compile(spec, bounds);
  EXPECT_TRUE(policy) << (policy ? "" : policy.error().ToString());
  return policy.value_or(Policy{});
}

// Everything, as wide as rules and bounds go, but for what must be named alone.
Policy Widest(Texts allow = {}, Texts deny = {}) {
  const Texts all = {"0.0.0.0/0",          "::/0",         "169.254.0.0/16",
                     "169.254.169.254/31", "fd00::/8",     "fe80::/10",
                     "100.64.0.0/10",      "192.0.0.0/24", "::/96",
                     "::ffff:0:0:0/96",    "64:ff9b::/96", "64:ff9b:1::/48",
                     "2002::/16",          "2001::/32"};
  allow.insert(allow.end(), all.begin(), all.end());
  return Compiled({.mode = Mode::kOpen, .allow = allow, .deny = std::move(deny)},
                  {.private_allowed = all});
}

TEST(Attacks, NoSpellingReachesMetadataByARuleForMore) {
  const Policy policy = Widest({"metadata.example", "*.example.com"});
  for (const char* text : {
           "169.254.169.254",
           "::ffff:169.254.169.254",
           "::ffff:a9fe:a9fe",
           "0:0:0:0:0:ffff:A9FE:A9FE",
           "::169.254.169.254",
           "::ffff:0:169.254.169.254",
           "64:ff9b::169.254.169.254",
           "64:ff9b:1::169.254.169.254",
           "64:ff9b:1:a9fe:a9:fe00::",
           "2002:a9fe:a9fe::",
           "2001:0:a9fe:a9fe::",
           "2001:0:808:808::5601:5601",
           "169.254.170.2",
           "169.254.170.23",
           "100.100.100.200",
           "::ffff:100.100.100.200",
           "192.0.0.192",
           "168.63.129.16",
           "::ffff:168.63.129.16",
           "64:ff9b::168.63.129.16",
           "fd00:ec2::254",
           "FD00:0EC2:0::0254",
           "fd20:ce::254",
           "fd00:c1::a9fe:a9fe",
           "fe80::a9fe:a9fe",
       }) {
    for (const char* name : {"", "metadata.example", "a.example.com", "anything.example"}) {
      const Decision decision = policy.OfAddress(name, Parsed(text), 80, false);
      EXPECT_FALSE(decision.allowed) << text << " by \"" << name << "\"";
      EXPECT_EQ(decision.why, Why::kSpecial) << text;
    }
  }
}

TEST(Attacks, MetadataIsReachedOnlyIfBothSidesNameItAlone) {
  const auto reaches = [](const Policy& policy, uint16_t port = 80) {
    return policy.OfAddress("", Parsed("169.254.169.254"), port, false).allowed &&
           policy.OfAddress("", Parsed("::ffff:169.254.169.254"), port, false).allowed;
  };
  const Spec alone{.mode = Mode::kAllow, .allow = {"169.254.169.254:80"}};
  const Spec range{.mode = Mode::kAllow, .allow = {"169.254.0.0/16"}};
  const Policy both = Compiled(alone, {.private_allowed = {"169.254.169.254"}});
  EXPECT_TRUE(reaches(both));
  EXPECT_FALSE(reaches(both, 81));
  EXPECT_FALSE(both.OfAddress("", Parsed("64:ff9b::169.254.169.254"), 80, false).allowed);
  EXPECT_FALSE(Policy::Compile(alone, {.private_allowed = {"169.254.0.0/16"}}));
  EXPECT_FALSE(reaches(Compiled(range, {.private_allowed = {"169.254.0.0/16"}})));
  EXPECT_FALSE(
      reaches(Compiled(range, {.private_allowed = {"169.254.0.0/16", "169.254.169.254"}})));
  // What a node of the cloud is told by a public address needs the same.
  EXPECT_FALSE(Policy::Compile({.allow = {"168.63.129.16:80"}}, {}));
}

TEST(Attacks, TunnelsNeedRangesOfTheirOwnOnBothSides) {
  const Address address = Parsed("64:ff9b::8.8.8.8");
  const Spec nat64{.mode = Mode::kAllow, .allow = {"64:ff9b::/96"}};
  EXPECT_FALSE(Policy::Compile(nat64, {.private_allowed = {"::/0", "64:ff9b::/64"}}));
  const Policy policy = Compiled(nat64, {.private_allowed = {"64:ff9b::/96"}});
  EXPECT_TRUE(policy.OfAddress("", address, 80, false).allowed);
  const Policy wide = Compiled({.mode = Mode::kOpen, .allow = {"::/0"}},
                               {.private_allowed = {"::/0", "64:ff9b::/96"}});
  EXPECT_EQ(wide.OfAddress("", address, 80, false).why, Why::kSpecial);
}

TEST(Attacks, WhatATunnelHoldsNeedsWhatItNeedsItself) {
  const Texts tunnels = {"64:ff9b::/96", "::/96", "::ffff:0:0:0/96", "2002::/16", "2001::/32"};
  const Spec spec{.mode = Mode::kAllow, .allow = tunnels};
  const Policy only = Compiled(spec, {.private_allowed = tunnels});
  Texts more = tunnels;
  more.emplace_back("10.0.0.0/8:80");
  const Policy with_private =
      Compiled({.mode = Mode::kAllow, .allow = more}, {.private_allowed = more});
  for (const char* text : {"64:ff9b::10.0.0.1", "::10.0.0.1", "::ffff:0:10.0.0.1", "2002:a00:1::1",
                           "2001:0:808:808::f5ff:fffe"}) {
    EXPECT_EQ(only.OfAddress("", Parsed(text), 80, false).why, Why::kSpecial) << text;
    EXPECT_TRUE(with_private.OfAddress("", Parsed(text), 80, false).allowed) << text;
    EXPECT_FALSE(with_private.OfAddress("", Parsed(text), 81, false).allowed) << text;
  }
  for (const char* text : {"64:ff9b::127.0.0.1", "64:ff9b::192.168.0.1",
                           "2002:7f00:1::", "64:ff9b::0.0.0.0", "64:ff9b::224.0.0.1"}) {
    EXPECT_FALSE(with_private.OfAddress("", Parsed(text), 80, false).allowed) << text;
  }
}

TEST(Attacks, DeniedAddressesAreDeniedInEverySpelling) {
  const Policy policy = Widest({}, {"8.8.8.0/24:53", "10.9.0.0/16"});
  for (const char* text :
       {"8.8.8.8", "::ffff:8.8.8.8", "::ffff:808:808", "::8.8.8.8", "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8", "64:ff9b:1::8.8.8.8", "64:ff9b:1:808:8:800::", "2002:808:808::1",
        "2001:0:101:101::f7f7:f7f7"}) {
    for (const char* name : {"", "dns.example"}) {
      EXPECT_EQ(policy.OfAddress(name, Parsed(text), 53, false),
                (Decision{false, Why::kRule, "8.8.8.0/24:53"}))
          << text;
      EXPECT_TRUE(policy.OfAddress(name, Parsed(text), 54, false).allowed) << text;
    }
  }
  EXPECT_FALSE(policy.OfAddress("", Parsed("::ffff:10.9.1.1"), 80, false).allowed);
  EXPECT_TRUE(policy.OfAddress("", Parsed("::ffff:10.8.1.1"), 80, false).allowed);
}

TEST(Attacks, RangesEndWhereTheyAreSaidToEnd) {
  struct Case {
    const char* rule;
    const char *before, *first, *last, *after;
  };
  for (const Case& one : {
           Case{"10.1.2.0/24", "10.1.1.255", "10.1.2.0", "10.1.2.255", "10.1.3.0"},
           Case{"10.1.2.128/25", "10.1.2.127", "10.1.2.128", "10.1.2.255", "10.1.3.0"},
           Case{"172.16.0.0/12", "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
           Case{"10.1.2.3/32", "10.1.2.2", "10.1.2.3", "10.1.2.3", "10.1.2.4"},
           Case{"fd00::/120", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fd00::", "fd00::ff",
                "fd00::100"},
       }) {
    const Policy policy = Compiled({.mode = Mode::kAllow, .allow = {one.rule}},
                                   {.private_allowed = {"0.0.0.0/0", "::/0"}});
    EXPECT_FALSE(policy.OfAddress("", Parsed(one.before), 80, false).allowed) << one.rule;
    EXPECT_TRUE(policy.OfAddress("", Parsed(one.first), 80, false).allowed) << one.rule;
    EXPECT_TRUE(policy.OfAddress("", Parsed(one.last), 80, false).allowed) << one.rule;
    EXPECT_FALSE(policy.OfAddress("", Parsed(one.after), 80, false).allowed) << one.rule;
  }
}

TEST(Attacks, NamesAreTheSameInEachCaseAndWithADotAtTheirEnd) {
  const Policy policy = Compiled({.mode = Mode::kOpen, .deny = {"Evil.Example", "*.bad.example"}});
  for (const char* name : {"evil.example", "EVIL.EXAMPLE", "eViL.eXaMpLe", "evil.example.",
                           "EVIL.example.", "a.BAD.example", "a.bad.example."}) {
    EXPECT_FALSE(policy.OfName(name).allowed) << name;
    EXPECT_FALSE(policy.OfConnection(name, 443).allowed) << name;
    EXPECT_FALSE(policy.OfAddress(name, Parsed("8.8.8.8"), 443, false).allowed) << name;
  }
}

TEST(Attacks, NamesThatOnlyLookAlikeAreOthers) {
  const Policy policy =
      Compiled({.mode = Mode::kAllow, .allow = {"a_b.example.com", "*.c_d.example.com"}});
  EXPECT_TRUE(policy.OfName("a_b.example.com").allowed);
  EXPECT_TRUE(policy.OfName("x.c_d.example.com").allowed);
  using std::string_view_literals::operator""sv;
  for (const std::string_view name : {"a-b.example.com"sv,
                                      "ab.example.com"sv,
                                      "a.b.example.com"sv,
                                      "a_b.example.com.evil.com"sv,
                                      "a_b.example.comx"sv,
                                      "xa_b.example.com"sv,
                                      "x.a_b.example.com"sv,
                                      "a_b_example.com"sv,
                                      "a_b.example.com.."sv,
                                      ".a_b.example.com"sv,
                                      "a_b.example.com\0"sv,
                                      "a_b.example.com\0.evil.com"sv,
                                      "evil.com\0a_b.example.com"sv,
                                      "a_b.example.com\n"sv,
                                      " a_b.example.com"sv,
                                      "a_b.example.com "sv,
                                      "a_b.example.com:80"sv,
                                      "a_b.example.com/"sv,
                                      "evil.com#.a_b.example.com"sv,
                                      "user@a_b.example.com"sv,
                                      "a_b.example。com"sv,
                                      "a_b.ｅxample.com"sv,
                                      "a_b.ex\xc3\xa4mple.com"sv,
                                      "xn--a_b.example.com"sv,
                                      "c_d.example.com"sv,
                                      ".c_d.example.com"sv,
                                      "x.c-d.example.com"sv,
                                      "xc_d.example.com"sv,
                                      "*.c_d.example.com"sv,
                                      ""sv,
                                      "."sv}) {
    EXPECT_FALSE(policy.OfName(name).allowed) << name;
    EXPECT_FALSE(policy.OfConnection(name, 443).allowed) << name;
  }
}

TEST(Attacks, NamesThatAreNoneDoNotExistInAnyMode) {
  const Policy policy = Widest();
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  EXPECT_TRUE(policy.OfName(longest).allowed);
  EXPECT_TRUE(policy.OfName(longest + ".").allowed);
  for (const std::string& name : {longest + "a",
                                  longest + "a.",
                                  longest + "..",
                                  "a" + label + ".com",
                                  std::string(64, 'a'),
                                  std::string("127.0.0.1"),
                                  std::string("127.1"),
                                  std::string("2130706433"),
                                  std::string("0x7f000001"),
                                  std::string("0x7f.1"),
                                  std::string("017700000001"),
                                  std::string("0X7F.0.0.1"),
                                  std::string("127.0.0.1."),
                                  std::string("1.2.3.4.5"),
                                  std::string("::1"),
                                  std::string("[::1]"),
                                  std::string("::ffff:127.0.0.1"),
                                  std::string("fe80::1%eth0"),
                                  std::string("169.254.169.254"),
                                  std::string("0"),
                                  std::string("\xef\xbc\x91.\xef\xbc\x91"),
                                  std::string(100'000, 'a')}) {
    EXPECT_EQ(policy.OfName(name), Decision{}) << name;
    EXPECT_EQ(policy.OfConnection(name, 80), Decision{}) << name;
    EXPECT_EQ(policy.OfAddress(name.empty() ? "." : name, Parsed("8.8.8.8"), 80, false), Decision{})
        << name;
  }
}

TEST(Attacks, TheMachinesNamesAreNoOthers) {
  const Policy policy = Compiled({.mode = Mode::kOpen,
                                  .allow = {"x.host.cay.internal", "*.host.docker.internal",
                                            "host.cay.internal.example", "127.0.0.0/8"}},
                                 {.private_allowed = {"127.0.0.0/8", "host.cay.internal"}});
  for (const char* name : {"host.cay.internal", "host.docker.internal", "HOST.CAY.INTERNAL."}) {
    EXPECT_EQ(policy.OfName(name), Decision{}) << name;
    EXPECT_EQ(policy.OfAddress(name, Parsed("127.0.0.1"), 80, true), Decision{}) << name;
    EXPECT_EQ(policy.OfAddress(name, Parsed("127.0.0.1"), 80, false), Decision{}) << name;
  }
}

TEST(Attacks, ANameThatIsRebuiltOverToAPrivateAddressIsRefusedAtTheDial) {
  // The name may be resolved, and may be connected to; then it turns out where it leads.
  const Policy policy = Compiled({.mode = Mode::kAllow, .allow = {"*.evil.example"}});
  ASSERT_TRUE(policy.OfName("a.evil.example").allowed);
  ASSERT_TRUE(policy.OfConnection("a.evil.example", 80).allowed);
  EXPECT_TRUE(policy.OfAddress("a.evil.example", Parsed("8.8.8.8"), 80, false).allowed);
  for (const char* text : {"127.0.0.1", "10.0.0.1", "0.0.0.0", "::", "::1", "::ffff:10.0.0.1",
                           "fd00::1", "64:ff9b::10.0.0.1", "2002:a00:1::"}) {
    EXPECT_EQ(policy.OfAddress("a.evil.example", Parsed(text), 80, false).why, Why::kSpecial)
        << text;
  }
}

}  // namespace
}  // namespace cay::network
