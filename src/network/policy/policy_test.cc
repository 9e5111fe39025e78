#include "network/policy/policy.h"

#include <gtest/gtest.h>

#include <ostream>

namespace cay::network {

// For messages of failed tests.
void PrintTo(const Decision& decision, std::ostream* out) {
  *out << (decision.allowed ? "allowed" : "denied") << ", why " << static_cast<int>(decision.why)
       << ", \"" << decision.rule << "\"";
}

namespace {

using Texts = std::vector<std::string>;

Address Parsed(std::string_view text) { return Address::Parse(text).value(); }

Policy Compiled(const Spec& spec, const Bounds& bounds = {}) {
  auto policy = Policy::Compile(spec, bounds);
  EXPECT_TRUE(policy) << (policy ? "" : policy.error().ToString());
  return policy.value_or(Policy{});
}
Policy Allowing(Texts allow, Texts deny = {}, Texts private_allowed = {}) {
  return Compiled({.mode = Mode::kAllow, .allow = std::move(allow), .deny = std::move(deny)},
                  {.private_allowed = std::move(private_allowed)});
}
Policy Open(Texts allow = {}, Texts deny = {}, Texts private_allowed = {}) {
  return Compiled({.mode = Mode::kOpen, .allow = std::move(allow), .deny = std::move(deny)},
                  {.private_allowed = std::move(private_allowed)});
}
Error Refused(const Spec& spec, const Bounds& bounds = {}) {
  auto policy = Policy::Compile(spec, bounds);
  EXPECT_FALSE(policy);
  return policy ? Error::Invalid("") : policy.error();
}

Decision ByRule(std::string rule) { return {true, Why::kRule, std::move(rule)}; }
Decision DeniedBy(std::string rule) { return {false, Why::kRule, std::move(rule)}; }
const Decision kByOpen = {true, Why::kOpen, {}};
const Decision kNoRule = {false, Why::kNoRule, {}};
const Decision kSpecial = {false, Why::kSpecial, {}};

TEST(Mode, IsWrittenAndRead) {
  for (const Mode mode : {Mode::kNone, Mode::kAllow, Mode::kOpen}) {
    EXPECT_EQ(ParseMode(ModeName(mode)), mode);
  }
  EXPECT_EQ(ModeName(Mode::kAllow), "allow");
  for (const char* name : {"", "Open", "all", "none ", "host"})
    EXPECT_FALSE(ParseMode(name)) << name;
}

TEST(Policy, OfModeNoneAllowsNothingWhateverItsRules) {
  const Policy policy = Compiled({.mode = Mode::kNone, .allow = {"example.com", "0.0.0.0/0"}});
  const Decision none = {false, Why::kNone, {}};
  EXPECT_EQ(policy.OfName("example.com"), none);
  EXPECT_EQ(policy.OfConnection("example.com", 443), none);
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.8.8"), 443, false), none);
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("8.8.8.8"), 443, false), none);
  EXPECT_EQ(policy.OfHost(443), none);
  EXPECT_EQ(Policy().OfName("example.com"), none);
}

TEST(Policy, AllowsNamesThatARuleNamesOnItsPorts) {
  const Policy policy = Allowing({"example.com:443", "*.example.org:80,8000-8010"});
  EXPECT_EQ(policy.OfName("example.com"), ByRule("example.com:443"));
  EXPECT_EQ(policy.OfName("a.example.org"), ByRule("*.example.org:80,8000-8010"));
  EXPECT_EQ(policy.OfName("example.org"), kNoRule);
  EXPECT_EQ(policy.OfName("www.example.com"), kNoRule);
  EXPECT_EQ(policy.OfConnection("example.com", 443), ByRule("example.com:443"));
  EXPECT_EQ(policy.OfConnection("example.com", 80), kNoRule);
  EXPECT_TRUE(policy.OfConnection("a.example.org", 8010).allowed);
  EXPECT_FALSE(policy.OfConnection("a.example.org", 8011).allowed);
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("93.184.215.14"), 443, false),
            ByRule("example.com:443"));
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("93.184.215.14"), 80, false), kNoRule);
}

TEST(Policy, TakesTheFirstRuleThatAllows) {
  const Policy policy = Allowing({"example.com:80", "example.com:1-1000", "example.com"});
  EXPECT_EQ(policy.OfConnection("example.com", 443).rule, "example.com:1-1000");
  EXPECT_EQ(policy.OfConnection("example.com", 8080).rule, "example.com");
}

TEST(Policy, DoesNotTakeAnAddressForAName) {
  const Policy policy = Allowing({"example.com:443"});
  EXPECT_EQ(policy.OfAddress("", Parsed("93.184.215.14"), 443, false), kNoRule);
}

TEST(Policy, DeniesBeforeItAllowsWhateverTheOrder) {
  const Policy policy =
      Allowing({"*.example.com", "a.example.com:443"}, {"a.example.com", "b.example.com:22"});
  EXPECT_EQ(policy.OfName("a.example.com"), DeniedBy("a.example.com"));
  EXPECT_EQ(policy.OfConnection("a.example.com", 443), DeniedBy("a.example.com"));
  EXPECT_EQ(policy.OfConnection("b.example.com", 22), DeniedBy("b.example.com:22"));
  EXPECT_EQ(policy.OfConnection("b.example.com", 443), ByRule("*.example.com"));
  EXPECT_EQ(policy.OfAddress("b.example.com", Parsed("8.8.8.8"), 22, false),
            DeniedBy("b.example.com:22"));
}

TEST(Policy, KeepsANameThatIsDeniedOnSomePortsOnly) {
  const Policy policy = Allowing({"example.com"}, {"example.com:22"});
  EXPECT_TRUE(policy.OfName("example.com").allowed);
  EXPECT_FALSE(Allowing({"example.com"}, {"example.com:1-65535"}).OfName("example.com").allowed);
  EXPECT_FALSE(Open({}, {"*.com"}).OfName("example.com").allowed);
}

TEST(Policy, DeniesByNameOnlyConnectionsByThatName) {
  const Policy policy = Open({}, {"example.com"});
  EXPECT_EQ(policy.OfName("example.com"), DeniedBy("example.com"));
  EXPECT_EQ(policy.OfAddress("other.example", Parsed("93.184.215.14"), 443, false), kByOpen);
  EXPECT_EQ(policy.OfAddress("", Parsed("93.184.215.14"), 443, false), kByOpen);
}

TEST(Policy, DeniesByRangeWhateverTheName) {
  const Policy policy = Open({"example.com"}, {"93.184.215.0/24:443", "[2606:2800::/32]"});
  EXPECT_EQ(policy.OfConnection("example.com", 443), ByRule("example.com"));
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("93.184.215.14"), 443, false),
            DeniedBy("93.184.215.0/24:443"));
  EXPECT_EQ(policy.OfAddress("", Parsed("::ffff:93.184.215.14"), 443, false),
            DeniedBy("93.184.215.0/24:443"));
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("93.184.215.14"), 80, false),
            ByRule("example.com"));
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("2606:2800::1"), 80, false),
            DeniedBy("[2606:2800::/32]"));
  EXPECT_EQ(policy.OfAddress("", Parsed("93.184.216.1"), 443, false), kByOpen);
}

TEST(Policy, DeniesForEverybodyWhatTheAdministratorDenies) {
  const Policy policy = Compiled(
      {.mode = Mode::kOpen, .allow = {"example.com", "8.8.8.8"}, .deny = {"example.com:1"}},
      {.deny = {"*.com:443", "8.8.0.0/16"}});
  EXPECT_EQ(policy.OfConnection("example.com", 443), DeniedBy("*.com:443"));
  EXPECT_EQ(policy.OfConnection("example.com", 1), DeniedBy("example.com:1"));
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.8.8"), 53, false), DeniedBy("8.8.0.0/16"));
}

TEST(Policy, OpenAllowsEveryPublicNameAndAddress) {
  const Policy policy = Open();
  EXPECT_EQ(policy.OfName("example.com"), kByOpen);
  EXPECT_EQ(policy.OfConnection("example.com", 1), kByOpen);
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("8.8.8.8"), 65'535, false), kByOpen);
  EXPECT_EQ(policy.OfAddress("", Parsed("2606:4700::1"), 443, false), kByOpen);
  EXPECT_EQ(policy.OfName("1.2.3"), kNoRule);
  EXPECT_EQ(policy.OfName("host.cay.internal"), kNoRule);
  EXPECT_EQ(policy.OfHost(80), kNoRule);
}

TEST(Policy, RefusesSpecialAddressesInEveryMode) {
  for (const char* text : {"0.0.0.0",
                           "10.1.2.3",
                           "100.64.0.1",
                           "127.0.0.1",
                           "169.254.1.1",
                           "169.254.169.254",
                           "172.16.0.1",
                           "192.0.0.9",
                           "192.0.2.1",
                           "192.168.1.1",
                           "198.18.0.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "168.63.129.16",
                           "::",
                           "::1",
                           "::8.8.8.8",
                           "64:ff9b::8.8.8.8",
                           "2001::1",
                           "2002:808:808::1",
                           "fd00::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "2001:db8::1",
                           "100::1",
                           "4000::1",
                           "::ffff:127.0.0.1",
                           "::ffff:0:8.8.8.8"}) {
    const Address address = Parsed(text);
    EXPECT_EQ(Open().OfAddress("", address, 80, false), kSpecial) << text;
    EXPECT_EQ(Open().OfAddress("example.com", address, 80, false), kSpecial) << text;
    // A rule for a name says nothing of addresses, nor does one for all of them.
    EXPECT_EQ(Allowing({"example.com"}).OfAddress("example.com", address, 80, false), kSpecial)
        << text;
    EXPECT_FALSE(Open({"0.0.0.0/0", "::/0"}).OfAddress("", address, 80, false).allowed) << text;
  }
}

TEST(Policy, AllowsPublicRangesWithoutTheAdministrator) {
  const Policy policy = Allowing({"8.8.8.0/24:53", "[2606:4700::/32]:53"});
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.8.8"), 53, false), ByRule("8.8.8.0/24:53"));
  EXPECT_EQ(policy.OfAddress("", Parsed("::ffff:8.8.8.8"), 53, false), ByRule("8.8.8.0/24:53"));
  EXPECT_EQ(policy.OfAddress("", Parsed("2606:4700::1"), 53, false), ByRule("[2606:4700::/32]:53"));
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.8.8"), 54, false), kNoRule);
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.9.0"), 53, false), kNoRule);
  // A range allows no name.
  EXPECT_EQ(policy.OfName("dns.example"), kNoRule);
  EXPECT_EQ(policy.OfAddress("dns.example", Parsed("8.8.8.8"), 53, false), kNoRule);
}

TEST(Policy, AllowsPrivateRangesThatBothSidesName) {
  const Policy policy = Allowing({"10.1.2.0/24:5432", "db.example"}, {}, {"10.0.0.0/8:5432,6379"});
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.3"), 5432, false), ByRule("10.1.2.0/24:5432"));
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.0"), 5432, false).allowed, true);
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.255"), 5432, false).allowed, true);
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.1.255"), 5432, false), kSpecial);
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.3.0"), 5432, false), kSpecial);
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.3"), 6379, false), kSpecial);
  EXPECT_EQ(policy.OfAddress("", Parsed("::ffff:10.1.2.3"), 5432, false),
            ByRule("10.1.2.0/24:5432"));
  // By name, the name needs a rule as well.
  EXPECT_EQ(policy.OfAddress("db.example", Parsed("10.1.2.3"), 5432, false),
            ByRule("10.1.2.0/24:5432"));
  EXPECT_EQ(policy.OfAddress("db.example", Parsed("10.1.3.3"), 5432, false), kSpecial);
  EXPECT_EQ(policy.OfAddress("other.example", Parsed("10.1.2.3"), 5432, false), kNoRule);
}

TEST(Policy, OpensOfAMixedRangeOnlyWhatTheAdministratorNames) {
  const Policy policy = Allowing({"0.0.0.0/0", "[::/0]:443"}, {}, {"10.1.0.0/16:80", "fd00::/8"});
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.8.8"), 443, false), ByRule("0.0.0.0/0"));
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.3"), 80, false), ByRule("0.0.0.0/0"));
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.3"), 81, false),
            (Decision{false, Why::kNotPermitted, "0.0.0.0/0"}));
  EXPECT_EQ(policy.OfAddress("", Parsed("10.2.0.0"), 80, false),
            (Decision{false, Why::kNotPermitted, "0.0.0.0/0"}));
  EXPECT_EQ(policy.OfAddress("", Parsed("127.0.0.1"), 80, false),
            (Decision{false, Why::kNotPermitted, "0.0.0.0/0"}));
}

TEST(Policy, CannotBeCompiledWithRangesThatTheAdministratorDoesNotName) {
  struct Case {
    const char* rule;
    Texts permitted;
  };
  for (const Case& one : {
           Case{"10.1.2.0/24:5432", {}},
           Case{"10.1.2.0/24:5432", {"10.1.2.0/25:5432", "10.1.2.128/25:5432"}},
           Case{"10.1.2.0/24:5432", {"10.1.2.0/24:5433"}},
           Case{"10.1.2.0/24", {"10.1.2.0/24:1-65534"}},
           Case{"127.0.0.1:80", {"10.0.0.0/8", "host.cay.internal"}},
           Case{"[fd00::7]:22", {"0.0.0.0/0"}},
           Case{"203.0.113.1", {}},
           Case{"224.0.0.0/3", {"224.0.0.0/4", "240.0.0.0/4"}},
           Case{"host.cay.internal:8000", {"127.0.0.0/8", "host.cay.internal:8001"}},
           Case{"host.docker.internal", {"host.cay.internal:8000"}},
           Case{"169.254.169.254:80", {"169.254.0.0/16"}},
           Case{"64:ff9b::/96", {"::/0"}},
           Case{"64:ff9b::8.8.8.8", {"::/0", "64:ff9b::/95"}},
       }) {
    const Error error =
        Refused({.allow = {"example.com", one.rule}}, {.private_allowed = one.permitted});
    EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied) << one.rule;
    EXPECT_EQ(error.fault(), Fault::kCaller);
    EXPECT_NE(error.message().find(one.rule), std::string::npos) << error.message();
    const std::string asked = "ask the administrator to put \"" + std::string(one.rule) +
                              "\" into network.private_allowed";
    EXPECT_EQ(error.remedy().text(), asked);
    // What is to be asked for is enough.
    Texts more = one.permitted;
    more.emplace_back(one.rule);
    EXPECT_TRUE(Policy::Compile({.allow = {one.rule}}, {.private_allowed = more})) << one.rule;
  }
}

TEST(Policy, TakesRangesThatHaveAPublicPart) {
  for (const char* rule : {"10.0.0.0/7:80", "0.0.0.0/0", "168.63.129.0/24", "2001::/16", "::/0"}) {
    EXPECT_TRUE(Policy::Compile({.allow = {rule}}, {})) << rule;
  }
}

TEST(Policy, TakesPortsOfSeveralPermittedRangesTogether) {
  const Bounds bounds{.private_allowed = {"10.0.0.0/8:80", "10.0.0.0/9:81-90",
                                          "host.cay.internal:1", "host.docker.internal:2"}};
  EXPECT_TRUE(Policy::Compile({.allow = {"10.1.0.0/16:80-90"}}, bounds));
  EXPECT_FALSE(Policy::Compile({.allow = {"10.1.0.0/16:80-91"}}, bounds));
  EXPECT_FALSE(Policy::Compile({.allow = {"10.128.0.0/16:80-90"}}, bounds));
  EXPECT_TRUE(Policy::Compile({.allow = {"host.cay.internal:1-2"}}, bounds));
  EXPECT_FALSE(Policy::Compile({.allow = {"host.cay.internal:1-3"}}, bounds));
}

TEST(Policy, TakesDenyingRulesForEveryRange) {
  EXPECT_TRUE(
      Policy::Compile({.deny = {"10.0.0.0/8", "169.254.169.254", "host.cay.internal"}}, {}));
}

TEST(Policy, ReachesTheMachineByItsNamesOnly) {
  const Policy policy = Open({"host.cay.internal:8000"}, {}, {"host.docker.internal:8000-8001"});
  for (const char* name : {"host.cay.internal", "HOST.docker.internal.", "host.docker.internal"}) {
    EXPECT_EQ(policy.OfName(name), ByRule("host.cay.internal:8000")) << name;
    EXPECT_EQ(policy.OfConnection(name, 8000), ByRule("host.cay.internal:8000")) << name;
    EXPECT_EQ(policy.OfConnection(name, 8001), kNoRule) << name;
    EXPECT_TRUE(policy.OfAddress(name, Parsed("127.0.0.1"), 8000, false).allowed) << name;
    EXPECT_TRUE(policy.OfAddress(name, Parsed("192.168.1.5"), 8000, true).allowed) << name;
    EXPECT_TRUE(policy.OfAddress(name, Parsed("::1"), 8000, true).allowed) << name;
    EXPECT_FALSE(policy.OfAddress(name, Parsed("127.0.0.1"), 8001, true).allowed) << name;
    // The name leads to the machine and nowhere else.
    EXPECT_EQ(policy.OfAddress(name, Parsed("192.168.1.6"), 8000, false), kNoRule) << name;
    EXPECT_EQ(policy.OfAddress(name, Parsed("8.8.8.8"), 8000, false), kNoRule) << name;
  }
  EXPECT_EQ(policy.OfHost(8000), ByRule("host.cay.internal:8000"));
  EXPECT_EQ(policy.OfHost(8001), kNoRule);
  EXPECT_EQ(policy.OfHost(0), kNoRule);
  EXPECT_EQ(policy.OfAddress("", Parsed("127.0.0.1"), 8000, false), kSpecial);
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("127.0.0.1"), 8000, false), kSpecial);
}

TEST(Policy, RefusesAddressesOfTheMachineWithoutARuleForIt) {
  const Decision own = {false, Why::kOwn, {}};
  const Policy policy = Open({"10.0.0.0/8", "8.8.8.8", "example.com"}, {}, {"10.0.0.0/8"});
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.8.8"), 80, true), own);
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.3"), 80, true), own);
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("8.8.8.8"), 80, true), own);
  EXPECT_EQ(policy.OfAddress("", Parsed("10.1.2.3"), 80, false), ByRule("10.0.0.0/8"));
}

TEST(Policy, DeniesTheMachineByItsNamesAndWhatIsWiderThanThem) {
  for (const char* denied :
       {"host.cay.internal", "host.docker.internal:8000", "*.internal", "*.docker.internal"}) {
    const Policy policy = Allowing({"host.cay.internal:8000"}, {denied}, {"host.cay.internal"});
    EXPECT_EQ(policy.OfHost(8000), DeniedBy(denied));
    EXPECT_EQ(policy.OfConnection("host.cay.internal", 8000), DeniedBy(denied));
    EXPECT_EQ(policy.OfAddress("host.docker.internal", Parsed("127.0.0.1"), 8000, true),
              DeniedBy(denied));
  }
  const Policy policy =
      Allowing({"host.cay.internal:1-2"}, {"host.cay.internal:1"}, {"host.cay.internal"});
  EXPECT_TRUE(policy.OfName("host.cay.internal").allowed);
  EXPECT_FALSE(policy.OfHost(1).allowed);
  EXPECT_TRUE(policy.OfHost(2).allowed);
}

TEST(Policy, IsNotOfAWiderModeThanTheMaximum) {
  const Mode modes[] = {Mode::kNone, Mode::kAllow, Mode::kOpen};
  for (const Mode most : modes) {
    for (const Mode mode : modes) {
      const auto policy = Policy::Compile({.mode = mode}, {.max_mode = most});
      EXPECT_EQ(policy.has_value(), mode <= most);
      EXPECT_EQ(policy.value_or(Policy{}).mode(), mode <= most ? mode : Mode::kNone);
    }
  }
  const Error error = Refused({.mode = Mode::kOpen}, {.max_mode = Mode::kAllow});
  EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(error.message(), "the network mode \"open\" is over the maximum, \"allow\"");
  EXPECT_NE(error.remedy().text().find("network.max_mode"), std::string::npos);
}

TEST(Policy, BoundsEachList) {
  const Texts most(256, "example.com");
  Texts more = most;
  more.emplace_back("example.com");
  EXPECT_TRUE(Policy::Compile({.allow = most, .deny = most, .presets = Texts(256, "pypi")},
                              {.private_allowed = Texts(256, "10.0.0.0/8"), .deny = most}));
  EXPECT_EQ(Refused({.allow = more}).code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(Refused({.deny = more}).code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(Refused({.presets = Texts(257, "pypi")}).code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(Refused({}, {.deny = more}).code(), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(Refused({}, {.private_allowed = Texts(257, "10.0.0.0/8")}).code(),
            ErrorCode::kLimitTooHigh);
  EXPECT_EQ(Refused({.allow = more}).message(),
            "allow has 257 entries, and at most 256 are allowed");
}

TEST(Policy, NamesTheListWhoseRuleCannotBeRead) {
  EXPECT_TRUE(Refused({.allow = {"1.2.3"}}).message().starts_with("allow: not a network rule: "));
  EXPECT_TRUE(Refused({.deny = {"*"}}).message().starts_with("deny: not a network rule: "));
  EXPECT_TRUE(Refused({}, {.deny = {""}}).message().starts_with("network.deny: a network rule"));
  EXPECT_TRUE(Refused({}, {.private_allowed = {"10.0.0.1/8"}})
                  .message()
                  .starts_with("network.private_allowed: not a network rule: "));
  EXPECT_EQ(Refused({.presets = {"none"}}).code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refused({.allow = {"*.com"}}).code(), ErrorCode::kInvalidArgument);
}

TEST(Policy, TakesNoNamesAmongPermittedAddresses) {
  const Error error = Refused({}, {.private_allowed = {"10.0.0.0/8", "db.example:5432"}});
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message(),
            "network.private_allowed: \"db.example:5432\" is a name, and what is allowed there are "
            "addresses");
}

TEST(Policy, KnowsNoConnectionToPortZero) {
  const Policy policy = Open({"example.com", "8.8.8.8"});
  EXPECT_EQ(policy.OfConnection("example.com", 0), kNoRule);
  EXPECT_EQ(policy.OfAddress("example.com", Parsed("8.8.8.8"), 0, false), kNoRule);
  EXPECT_EQ(policy.OfAddress("", Parsed("8.8.8.8"), 0, false), kNoRule);
}

TEST(Explain, SaysWhyInOneSentence) {
  const Address address = Parsed("10.1.2.3");
  EXPECT_EQ(Explain({}, "example.com", nullptr), "no rule allows it");
  EXPECT_EQ(Explain(ByRule("example.com:443"), "example.com", &address),
            "the rule \"example.com:443\" allows it");
  EXPECT_EQ(Explain(DeniedBy("*.com"), "example.com", nullptr), "the rule \"*.com\" denies it");
  EXPECT_EQ(Explain(kByOpen, "", nullptr), "the network mode \"open\" allows it");
  EXPECT_EQ(Explain({.why = Why::kNone}, "", nullptr), "the network mode \"none\" allows nothing");
  EXPECT_EQ(Explain({.why = Why::kServer}, "", nullptr), "it is the server's own API");
}

TEST(Explain, NamesTheAddressThatIsNotPublic) {
  const Address address = Parsed("::ffff:10.1.2.3");
  EXPECT_EQ(Explain(kSpecial, "", &address),
            "10.1.2.3 is a private address, and no rule names its range");
  EXPECT_EQ(
      Explain(kSpecial, "Example.com.", &address),
      "example.com leads to 10.1.2.3, which is a private address, and no rule names its range");
  EXPECT_EQ(Explain(kSpecial, "bad\nname", &address),
            "10.1.2.3 is a private address, and no rule names its range");
  EXPECT_EQ(Explain(kSpecial, "", nullptr),
            "it is not at a public address, and no rule names its range");
  EXPECT_EQ(Explain({false, Why::kNotPermitted, "0.0.0.0/0"}, "", &address),
            "10.1.2.3 is a private address, and the rule \"0.0.0.0/0\" names it, but "
            "network.private_allowed does not");
  EXPECT_EQ(Explain({.why = Why::kOwn}, "", &address),
            "10.1.2.3 is an address of the machine itself, which only a rule for "
            "host.cay.internal allows");
  const Address metadata = Parsed("169.254.169.254");
  EXPECT_EQ(Explain(kSpecial, "", &metadata),
            "169.254.169.254 is an address of a cloud's metadata, and no rule names it alone");
  const Address tunnel = Parsed("64:ff9b::10.0.0.1");
  EXPECT_EQ(
      Explain(kSpecial, "", &tunnel),
      "64:ff9b::a00:1 is an address of a tunnel to IPv4 and holds 10.0.0.1, a private address, "
      "and no rule names its range");
}

TEST(DnsMode, IsWrittenAndRead) {
  for (const DnsMode mode : {DnsMode::kNames, DnsMode::kReal}) {
    EXPECT_EQ(ParseDnsMode(DnsModeName(mode)), mode);
  }
  for (const char* name : {"", "Real", "names ", "system"})
    EXPECT_FALSE(ParseDnsMode(name)) << name;
}

TEST(Policy, WhatAProgramMayBeToldIsPublicOrNamedByARuleAndTheAdministrator) {
  const Policy policy = Allowing({"example.com", "10.1.2.0/24:5432"}, {}, {"10.1.0.0/16"});
  EXPECT_TRUE(policy.MayTell(Parsed("8.8.8.8"), false));
  EXPECT_TRUE(policy.MayTell(Parsed("::ffff:8.8.8.8"), false));
  EXPECT_FALSE(policy.MayTell(Parsed("8.8.8.8"), true)) << "the machine's own";
  EXPECT_TRUE(policy.MayTell(Parsed("10.1.2.3"), false));
  for (const char* hidden : {"10.1.3.3", "127.0.0.1", "169.254.169.254", "::ffff:10.1.3.3", "::1",
                             "64:ff9b::a01:303", "fd00::1", "100.64.0.1", "198.18.0.1"})
    EXPECT_FALSE(policy.MayTell(Parsed(hidden), false)) << hidden;
  EXPECT_FALSE(Open().MayTell(Parsed("10.1.2.3"), false));
  EXPECT_FALSE(Compiled({.mode = Mode::kNone}).MayTell(Parsed("8.8.8.8"), false));
}

}  // namespace
}  // namespace cay::network
