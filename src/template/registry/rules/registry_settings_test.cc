#include "template/registry/rules/registry_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "template/registry/rules/address_guard.h"

namespace cay::templates::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

RegistryRules RulesOf(RegistrySettings settings) {
  auto rules = RegistryRules::Of(std::move(settings));
  EXPECT_TRUE(rules) << rules.error().ToString();
  return *std::move(rules);
}

network::Address At(std::string_view text) { return *network::Address::Parse(text); }

std::string Names(const Result<std::vector<Endpoint>>& endpoints) {
  if (!endpoints) return endpoints.error().ToString();
  std::string names;
  for (const Endpoint& one : *endpoints) names += one.Name() + (one.is_mirror ? "* " : " ");
  return names;
}

TEST(RegistryRules, AsksMirrorsBeforeTheRegistry) {
  const RegistryRules rules = RulesOf({.mirrors = {{"docker.io", {"m1.example", "[::1]:5000"}}}});
  EXPECT_EQ(Names(rules.EndpointsOf("docker.io")), "m1.example* [::1]:5000* registry-1.docker.io ");
  EXPECT_EQ(Names(rules.EndpointsOf("r.example:5000")), "r.example:5000 ");
  EXPECT_EQ(rules.EndpointsOf("docker.io")->back().domain, "docker.io");
  EXPECT_EQ(rules.EndpointsOf("docker.io")->front().domain, "m1.example");
}

TEST(RegistryRules, AllowsNoTlsWhereItIsNamedAndOnLoopback) {
  const RegistryRules rules = RulesOf({.insecure = {"a.example", "b.example:5000"}});
  EXPECT_TRUE(rules.MayBeInsecure("a.example", 1));
  EXPECT_TRUE(rules.MayBeInsecure("b.example", 5000));
  EXPECT_FALSE(rules.MayBeInsecure("b.example", 5001));
  EXPECT_FALSE(rules.MayBeInsecure("c.example", 80));
  for (const char* host : {"localhost", "127.0.0.1", "127.9.9.9", "::1"})
    EXPECT_TRUE(rules.MayBeInsecure(host, 80)) << host;
  EXPECT_FALSE(rules.MayBeInsecure("10.0.0.1", 80));
  EXPECT_FALSE(rules.MayBeInsecure("localhost.example", 80));
}

TEST(RegistryRules, KnowsWhatIsNamed) {
  const RegistryRules rules = RulesOf(
      {.private_registries = {"a.example", "b.example:5000", "10.0.0.0/8", "192.168.0.1:443"}});
  EXPECT_TRUE(rules.IsNamed("a.example", 1, At("127.0.0.1")));
  EXPECT_TRUE(rules.IsNamed("b.example", 5000, At("127.0.0.1")));
  EXPECT_FALSE(rules.IsNamed("b.example", 5001, At("127.0.0.1")));
  EXPECT_TRUE(rules.IsNamed("c.example", 1, At("10.1.2.3")));
  EXPECT_TRUE(rules.IsNamed("c.example", 1, At("::ffff:10.1.2.3")));
  EXPECT_TRUE(rules.IsNamed("c.example", 443, At("192.168.0.1")));
  EXPECT_FALSE(rules.IsNamed("c.example", 80, At("192.168.0.1")));
}

TEST(RegistryRules, TakesOnlyItsOwnAddressForACloudsMetadata) {
  const auto metadata = At("169.254.169.254");
  EXPECT_FALSE(RulesOf({.private_registries = {"a.example", "169.254.0.0/16", "0.0.0.0/0"}})
                   .IsNamed("a.example", 80, metadata));
  EXPECT_TRUE(
      RulesOf({.private_registries = {"169.254.169.254"}}).IsNamed("a.example", 80, metadata));
}

TEST(RegistryRules, SaysWhatMakesNoSense) {
  RegistrySettings many;
  many.insecure.assign(RegistrySettings::kMaxList + 1, "a.example");
  for (const RegistrySettings& wrong :
       {RegistrySettings{.mirrors = {{"docker.io", {"https://m.example"}}}},
        RegistrySettings{.mirrors = {{"docker.io/library", {"m.example"}}}},
        RegistrySettings{.insecure = {"a b"}}, RegistrySettings{.insecure = {""}},
        RegistrySettings{.private_registries = {"10.0.0.1/8"}},
        RegistrySettings{.private_registries = {"a.example:0"}}, RegistrySettings{.max_layers = 0},
        RegistrySettings{.parallel_downloads = 0}, RegistrySettings{.attempts = 0},
        RegistrySettings{.stall_timeout = Millis(0)}, many}) {
    const auto rules = RegistryRules::Of(wrong);
    ASSERT_FALSE(rules);
    EXPECT_EQ(rules.error().code(), ErrorCode::kInvalidArgument);
  }
}

struct Guarded {
  RegistryRules rules;
  AddressGuard guard;
  explicit Guarded(std::vector<std::string> named, std::vector<std::string> addresses)
      : rules(RulesOf({.private_registries = std::move(named)})),
        guard(rules, [addresses](const std::string&) {
          std::vector<network::Address> found;
          for (const std::string& one : addresses) found.push_back(At(one));
          return Result<std::vector<network::Address>>(found);
        }) {}
};

TEST(AddressGuard, RefusesWhatIsNotPublic) {
  for (const char* address :
       {"127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "fd00::1",
        "fe80::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "224.0.0.1", "198.18.0.1"}) {
    const Guarded guarded({}, {address});
    const auto allowed = guarded.guard.Allowed("r.example", 443);
    ASSERT_FALSE(allowed) << address;
    EXPECT_EQ(allowed.error().code(), ErrorCode::kPermissionDenied);
    EXPECT_THAT(allowed.error().ToString(), HasSubstr("private_registries"));
    EXPECT_THAT(allowed.error().ToString(), HasSubstr("r.example"));
  }
}

TEST(AddressGuard, GivesExactlyWhatItChecked) {
  EXPECT_THAT(*Guarded({}, {"10.0.0.1", "93.184.215.14", "::1"}).guard.Allowed("r.example", 443),
              ElementsAre(At("93.184.215.14")));
  EXPECT_THAT(*Guarded({"10.0.0.0/8"}, {"10.0.0.1", "127.0.0.1"}).guard.Allowed("r.example", 443),
              ElementsAre(At("10.0.0.1")));
  EXPECT_THAT(*Guarded({"r.example"}, {"::ffff:127.0.0.1"}).guard.Allowed("r.example", 443),
              ElementsAre(At("127.0.0.1")));
  EXPECT_FALSE(Guarded({"r.example"}, {"0.0.0.0"}).guard.Allowed("r.example", 443));
}

TEST(AddressGuard, TriesNotMoreAddressesThanItsBound) {
  std::vector<std::string> many;
  for (int i = 0; i < 30; ++i) many.push_back("93.184.215." + std::to_string(i));
  EXPECT_EQ(Guarded({}, many).guard.Allowed("r.example", 443)->size(), AddressGuard::kMaxAddresses);
}

TEST(AddressGuard, LooksUpAddressesAsTheyAreWritten) {
  EXPECT_THAT(*LookUpHost("192.0.2.1"), ElementsAre(At("192.0.2.1")));
  EXPECT_FALSE(LookUpHost("name.invalid"));
}

}  // namespace
}  // namespace cay::templates::registry
