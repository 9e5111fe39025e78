#include "network/policy/rule.h"

#include <gtest/gtest.h>

namespace cay::network {
namespace {

using std::string_view_literals::operator""sv;

Rule Parsed(std::string_view text) {
  auto rule = Rule::Parse(text);
  EXPECT_TRUE(rule) << text << ": " << (rule ? "" : rule.error().ToString());
  return rule.value_or(Rule{});
}

std::string Refusal(std::string_view text) {
  const auto rule = Rule::Parse(text);
  if (rule) return "taken";
  EXPECT_EQ(rule.error().code(), ErrorCode::kInvalidArgument) << text;
  EXPECT_FALSE(rule.error().remedy().empty()) << text;
  return rule.error().ToString();
}

NamePattern Exact(std::string name) { return {.name = std::move(name)}; }
NamePattern Below(std::string name) { return {.name = std::move(name), .below = true}; }
Prefix Range(std::string_view text) { return Prefix::Parse(text).value(); }

TEST(Rule, OfANameIsExact) {
  const Rule rule = Parsed("example.com:443");
  ASSERT_NE(rule.name(), nullptr);
  EXPECT_EQ(*rule.name(), Exact("example.com"));
  EXPECT_EQ(rule.ports, (Ports{{443, 443}}));
  EXPECT_EQ(rule.text, "example.com:443");
  EXPECT_FALSE(rule.host());
  EXPECT_EQ(rule.prefix(), nullptr);
}

TEST(Rule, TakesNamesAsTheyAreUsed) {
  EXPECT_EQ(*Parsed("Example.COM").name(), Exact("example.com"));
  EXPECT_EQ(*Parsed("db").name(), Exact("db"));
  EXPECT_EQ(*Parsed("_http._tcp.example.com").name(), Exact("_http._tcp.example.com"));
  EXPECT_EQ(*Parsed("xn--bcher-kva.example").name(), Exact("xn--bcher-kva.example"));
  EXPECT_EQ(*Parsed("1.example.com").name(), Exact("1.example.com"));
  EXPECT_EQ(*Parsed("10.0.0.1.example").name(), Exact("10.0.0.1.example"));
  EXPECT_EQ(*Parsed("a-.-b.c").name(), Exact("a-.-b.c"));
  EXPECT_EQ(*Parsed("example.0xz").name(), Exact("example.0xz"));
  EXPECT_EQ(*Parsed("face").name(), Exact("face"));
  EXPECT_EQ(*Parsed("*.example.com").name(), Below("example.com"));
  EXPECT_EQ(*Parsed("*.Example.com:80").name(), Below("example.com"));
}

TEST(Rule, KeepsWhatWasWritten) { EXPECT_EQ(Parsed("*.Example.COM:80").text, "*.Example.COM:80"); }

TEST(Rule, OfARangeTakesBothFamilies) {
  EXPECT_EQ(*Parsed("10.1.2.0/24:5432").prefix(), Range("10.1.2.0/24"));
  EXPECT_EQ(Parsed("10.1.2.0/24:5432").ports, (Ports{{5432, 5432}}));
  EXPECT_EQ(*Parsed("10.1.2.3").prefix(), Range("10.1.2.3"));
  EXPECT_EQ(*Parsed("0.0.0.0/0:53").prefix(), Range("0.0.0.0/0"));
  EXPECT_EQ(*Parsed("[fd00::7]:22").prefix(), Range("fd00::7"));
  EXPECT_EQ(Parsed("[fd00::7]:22").ports, (Ports{{22, 22}}));
  EXPECT_EQ(*Parsed("[fd00::/8]:22").prefix(), Range("fd00::/8"));
  EXPECT_EQ(*Parsed("[fd00::7]").prefix(), Range("fd00::7"));
  EXPECT_EQ(*Parsed("fd00::/8").prefix(), Range("fd00::/8"));
  EXPECT_EQ(*Parsed("fd00::7").prefix(), Range("fd00::7"));
  EXPECT_EQ(*Parsed("::/0").prefix(), Range("::/0"));
  EXPECT_EQ(*Parsed("::1").prefix(), Range("::1"));
  EXPECT_TRUE(Parsed("fd00::7").ports.empty());
  // All of it is the address: with a port it stands in brackets.
  EXPECT_EQ(*Parsed("fd00::7:22").prefix(), Range("fd00::7:22"));
}

TEST(Rule, OfTheMachineHasTwoNames) {
  for (const char* text :
       {"host.cay.internal:8000", "host.docker.internal:8000", "HOST.Docker.Internal:8000"}) {
    EXPECT_TRUE(Parsed(text).host()) << text;
    EXPECT_EQ(Parsed(text).name(), nullptr) << text;
    EXPECT_EQ(Parsed(text).ports, (Ports{{8000, 8000}})) << text;
  }
  EXPECT_TRUE(Parsed("host.cay.internal").host());
  EXPECT_FALSE(Parsed("x.host.cay.internal").host());
  EXPECT_FALSE(Parsed("host.cay.internal.example").host());
  EXPECT_FALSE(Parsed("cay.internal").host());
}

TEST(Rule, TakesListsAndRangesOfPorts) {
  EXPECT_EQ(Parsed("example.com:80,443").ports, (Ports{{80, 80}, {443, 443}}));
  EXPECT_EQ(Parsed("example.com:8000-8010").ports, (Ports{{8000, 8010}}));
  EXPECT_EQ(Parsed("example.com:1,65535,5-5").ports, (Ports{{1, 1}, {65'535, 65'535}, {5, 5}}));
  EXPECT_EQ(Parsed("[fd00::/8]:1-65535").ports, (Ports{{1, 65'535}}));
  EXPECT_EQ(Parsed("example.com:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16").ports.size(), 16U);
}

TEST(Rule, RefusesPortsThatAreNone) {
  for (const char* text : {"example.com:",
                           "example.com:0",
                           "example.com:65536",
                           "example.com:99999",
                           "example.com:100000",
                           "example.com:080",
                           "example.com:+80",
                           "example.com:-80",
                           "example.com:80-",
                           "example.com:8010-8000",
                           "example.com:0-80",
                           "example.com:80-65536",
                           "example.com:80,",
                           "example.com:,80",
                           "example.com:80,,443",
                           "example.com:80-90-100",
                           "example.com:80, 443",
                           "example.com: 80",
                           "example.com:80 ",
                           "example.com:http",
                           "example.com:0x50",
                           "example.com:8e1",
                           "example.com:*",
                           "10.1.2.3:",
                           "10.1.2.0/24:",
                           "[fd00::7]:",
                           "[fd00::7]:0",
                           "host.cay.internal:",
                           ":80",
                           "example.com:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}) {
    EXPECT_NE(Refusal(text), "taken") << text;
  }
  EXPECT_NE(Refusal("example.com:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17").find("at most 16"),
            std::string::npos);
}

TEST(Rule, RefusesNamesThatResolversReadAsAddresses) {
  for (const char* text :
       {"1.2.3",          "127.1",           "127.1:80",        "1",           "2130706433",
        "0x7f.1",         "0x7f000001",      "0X7F.1",          "0x",          "a.0x",
        "1.2.3.4.5",      "1.2.3.256",       "256.256.256.256", "010.0.0.1",   "1.2.3.0x4",
        "example.1",      "example.com.080", "0x7f.0.0.0x1",    "*.1",         "*.0.0.127",
        "*.example.0xff", "017700000001",    "1.2.3.4.",        "10.0.0.1.:80"}) {
    EXPECT_NE(Refusal(text), "taken") << text;
  }
  for (const char* text : {"1.2.3", "0x7f.1", "1.2.3.4.5"}) {
    EXPECT_NE(Refusal(text).find("looks like an IP address"), std::string::npos) << text;
  }
}

TEST(Rule, RefusesTextsThatAreNoNames) {
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "."sv,
                                      ".."sv,
                                      "..."sv,
                                      "example.com."sv,
                                      ".example.com"sv,
                                      "example..com"sv,
                                      "example.com.:80"sv,
                                      " example.com"sv,
                                      "example.com "sv,
                                      "exa mple.com"sv,
                                      "example.com\n"sv,
                                      "example.com\0"sv,
                                      "exam\0ple.com"sv,
                                      "exam\tple.com"sv,
                                      "example,com"sv,
                                      "example!.com"sv,
                                      "%65xample.com"sv,
                                      "example.com\\"sv,
                                      "\"a.com\""sv,
                                      "[example.com]:80"sv,
                                      "example.com]"sv,
                                      "[example.com"sv}) {
    EXPECT_NE(Refusal(text), "taken") << text;
  }
}

TEST(Rule, RefusesInternationalNamesAndSaysTheirAsciiForm) {
  for (const char* text :
       {"bücher.example", "BÜCHER.example:443", "*.bücher.example", "example。com", "ｅxample.com",
        "xn--\xff.example", "\xc0\x80.example"}) {
    EXPECT_NE(Refusal(text).find("xn--"), std::string::npos) << text;
  }
}

TEST(Rule, BoundsNamesAndLabels) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  ASSERT_EQ(longest.size(), 253U);
  EXPECT_EQ(*Parsed(longest).name(), Exact(longest));
  EXPECT_EQ(Parsed(longest + ":443").ports.size(), 1U);
  EXPECT_NE(Refusal(longest + "a").find("at most 253"), std::string::npos);
  EXPECT_NE(Refusal("a" + label).find("at most 63"), std::string::npos);
  EXPECT_NE(Refusal("a" + label + ".com").find("at most 63"), std::string::npos);
  // There is a name below it only if that has 253 bytes too.
  const std::string base = longest.substr(2);
  EXPECT_EQ(*Parsed("*." + base).name(), Below(base));
  EXPECT_NE(Refusal("*." + longest.substr(1)).find("at most 253"), std::string::npos);
}

TEST(Rule, BoundsItsText) {
  // Spelled out, its ports make a rule long.
  const std::string text = "example.com:" + std::string(500, '1');
  ASSERT_EQ(text.size(), Rule::kMaxBytes);
  EXPECT_NE(Refusal(text).find("a port is"), std::string::npos);
  const std::string refusal = Refusal(text + "1");
  EXPECT_NE(refusal.find("513 bytes"), std::string::npos);
  EXPECT_EQ(refusal.find("1111"), std::string::npos);
}

TEST(Rule, RefusesWildcardsOfOtherKinds) {
  for (const char* text : {"*", "*:443", "*.", "*.*", "*.*.com", "**.example.com", "*example.com",
                           "example.*", "foo.*.com", "ex*mple.com", "*.example.com.", "*..com"}) {
    EXPECT_NE(Refusal(text), "taken") << text;
  }
  EXPECT_NE(Refusal("*").find("mode \"open\""), std::string::npos);
}

TEST(Rule, ThatAllowsIsNotAsWideAsATopLevelDomain) {
  for (const char* text : {"*.com", "*.internal", "*.localhost:80", "*.COM"}) {
    EXPECT_NE(Refusal(text).find("mode \"open\""), std::string::npos) << text;
    EXPECT_TRUE(Rule::Parse(text, Effect::kDeny)) << text;
  }
}

TEST(Rule, ThatAllowsHasNoWildcardOverTheMachine) {
  for (const char* text : {"*.cay.internal", "*.docker.internal:80", "*.Docker.internal"}) {
    EXPECT_NE(Refusal(text).find(".internal, with the ports"), std::string::npos) << text;
    EXPECT_TRUE(Rule::Parse(text, Effect::kDeny)) << text;
  }
  EXPECT_TRUE(Rule::Parse("*.host.cay.internal"));
}

TEST(Rule, RefusesUrlsAndShowsTheRuleThatIsMeant) {
  struct Case {
    const char *text, *remedy;
  };
  for (const Case& one : {
           Case{"https://example.com", "write example.com:443"},
           Case{"HTTPS://Example.com/path?query#part", "write Example.com:443"},
           Case{"http://example.com/", "write example.com:80"},
           Case{"http://example.com:8080/x", "write example.com:8080"},
           Case{"https://user:password@example.com/x", "write example.com:443"},
           Case{"https://[fd00::7]/", "write [fd00::7]:443"},
           Case{"https://[fd00::7]:8443/", "write [fd00::7]:8443"},
           Case{"http://10.1.2.3/", "write 10.1.2.3:80"},
           Case{"ftp://example.com", "write example.com"},
           Case{"//example.com/x", "write a rule as in"},
           Case{"example.com/path", "write example.com"},
           Case{"example.com:443/path", "write example.com:443"},
           Case{"example.com?x", "write example.com"},
           Case{"git@example.com:me/it.git", "write example.com"},
           Case{"user@example.com", "write example.com"},
           Case{"https://", "write a rule as in"},
           Case{"https://https://example.com", "write a rule as in"},
           Case{"https://exa mple.com", "write a rule as in"},
           Case{"https://*.example.com/", "write *.example.com:443"},
       }) {
    const auto rule = Rule::Parse(one.text);
    ASSERT_FALSE(rule) << one.text;
    EXPECT_TRUE(rule.error().remedy().text().starts_with(one.remedy))
        << one.text << ": " << rule.error().remedy().text();
  }
}

TEST(Rule, RefusesAddressesThatAreWrittenWrong) {
  for (const char* text : {"10.1.2.3/24",
                           "10.1.2.0/33",
                           "10.1.2.0/24/8",
                           "10.1.2/24",
                           "1.2.3/24:80",
                           "/24",
                           "fd00::1/8",
                           "fd00::/129",
                           "[fd00::1/8]:22",
                           "[fd00::7]22",
                           "[fd00::7",
                           "[fd00::7]/8",
                           "[fd00::]/8:22",
                           "[]:22",
                           "[]",
                           "[10.1.2.3]:22",
                           "[fd00::7%eth0]:22",
                           "fe80::1%eth0",
                           "fd00::7:22:70000",
                           "fd00:::7",
                           "[[fd00::7]]:22",
                           "::ffff:10.1.2",
                           "10.1.2.3:80:90",
                           "1:2:3"}) {
    EXPECT_NE(Refusal(text), "taken") << text;
  }
  EXPECT_NE(Refusal("fd00::7/128:22").find("[fd00::7]:22"), std::string::npos);
  EXPECT_NE(Refusal("fd00::7:70000").find("[fd00::7]:22"), std::string::npos);
  EXPECT_NE(Refusal("10.1.2.3/24:80").find("write 10.1.2.0/24 for the range"), std::string::npos);
}

TEST(Rule, RefusesIPv4AddressesInTheFormOfIPv6BecauseNoneIsEverDialledSo) {
  EXPECT_NE(Refusal("::ffff:10.0.0.0/104").find("write 10.0.0.0/8"), std::string::npos);
  EXPECT_NE(Refusal("[::ffff:a9fe:a9fe]:80").find("write 169.254.169.254"), std::string::npos);
  EXPECT_NE(Refusal("::ffff:0:0/96").find("write 0.0.0.0/0"), std::string::npos);
  EXPECT_TRUE(Rule::Parse("64:ff9b::/96"));
  EXPECT_TRUE(Rule::Parse("::/0"));
}

TEST(NamePattern, WithAWildcardMatchesWhatIsBelowAndNotItself) {
  const NamePattern below = Below("example.com");
  EXPECT_TRUE(below.Matches("a.example.com"));
  EXPECT_TRUE(below.Matches("a.b.example.com"));
  for (const char* name : {"example.com", "aexample.com", ".example.com", "a.example.com.b", "com",
                           "example.comx", "a.example_com", "axexample.com", "", "."}) {
    EXPECT_FALSE(below.Matches(name)) << name;
  }
}

TEST(NamePattern, WithoutAWildcardMatchesItselfAlone) {
  const NamePattern exact = Exact("a_b.example.com");
  EXPECT_TRUE(exact.Matches("a_b.example.com"));
  for (const char* name : {"a-b.example.com", "ab.example.com", "x.a_b.example.com", "example.com",
                           "a_b.example.com.", "a_b_example.com", ""}) {
    EXPECT_FALSE(exact.Matches(name)) << name;
  }
}

TEST(NormalName, IsWhatARuleCouldName) {
  EXPECT_EQ(NormalName("Example.COM"), "example.com");
  EXPECT_EQ(NormalName("example.com."), "example.com");
  EXPECT_EQ(NormalName("a_b"), "a_b");
  for (const std::string_view name :
       {""sv, "."sv, "example.com.."sv, ".example.com"sv, "exam ple.com"sv, "example.com\0"sv,
        "bücher.example"sv, "1.2.3.4"sv, "1.2.3.4."sv, "127.1"sv, "0x7f.1"sv, "::1"sv, "[::1]"sv,
        "*.example.com"sv, "example.com:80"sv, "user@example.com"sv}) {
    EXPECT_EQ(NormalName(name), std::nullopt) << name;
  }
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  EXPECT_EQ(NormalName(longest), longest);
  EXPECT_EQ(NormalName(longest + "."), longest);  // 254 bytes, and still the same name
  EXPECT_EQ(NormalName(longest + "a"), std::nullopt);
  EXPECT_EQ(NormalName(longest + "a."), std::nullopt);
}

TEST(Ports, ThatAreNotSaidAreAllOfThem) {
  EXPECT_TRUE(Contains(Ports{}, 1));
  EXPECT_TRUE(Contains(Ports{}, 65'535));
  EXPECT_FALSE(Contains(Ports{}, 0));
  EXPECT_FALSE(Contains(Ports{{0, 80}}, 0));
}

TEST(Ports, ContainTheirEdges) {
  const Ports ports = {{80, 80}, {8000, 8010}};
  for (const uint16_t port : std::vector<uint16_t>{80, 8000, 8005, 8010})
    EXPECT_TRUE(Contains(ports, port)) << port;
  for (const uint16_t port : std::vector<uint16_t>{1, 79, 81, 7999, 8011})
    EXPECT_FALSE(Contains(ports, port)) << port;
}

TEST(Ports, ContainOthersThatAreInSeveralOfTheirRanges) {
  const Ports ports = {{91, 100}, {80, 90}, {443, 443}, {85, 95}};
  EXPECT_TRUE(Contains(ports, Ports{{80, 100}}));
  EXPECT_TRUE(Contains(ports, Ports{{80, 80}, {443, 443}}));
  EXPECT_FALSE(Contains(ports, Ports{{79, 100}}));
  EXPECT_FALSE(Contains(ports, Ports{{80, 101}}));
  EXPECT_FALSE(Contains(ports, Ports{{80, 80}, {444, 444}}));
  EXPECT_FALSE(Contains(ports, Ports{}));
  EXPECT_TRUE(Contains(Ports{}, ports));
  EXPECT_TRUE(Contains(Ports{}, Ports{}));
  EXPECT_TRUE(Contains(Ports{{1, 65'535}}, Ports{}));
  EXPECT_TRUE(Contains(Ports{{1, 30'000}, {30'001, 65'535}}, Ports{}));
  EXPECT_FALSE(Contains(Ports{{1, 30'000}, {30'002, 65'535}}, Ports{}));
  EXPECT_FALSE(Contains(Ports{{2, 65'535}}, Ports{}));
  EXPECT_FALSE(Contains(Ports{{1, 65'534}}, Ports{}));
}

}  // namespace
}  // namespace cay::network
