#include "sandbox/rules/spec_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/rules/volume_rules.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;

ManagerOptions Options() {
  ManagerOptions options;
  options.max_limits.memory = 2 * kGiB;
  options.max_limits.cpus = 2000;
  return options;
}

ErrorCode CodeOf(const SandboxSpec& spec) {
  const auto resolved = ResolveSpec(spec, Options());
  return resolved ? ErrorCode::kInternal : resolved.error().code();
}

TEST(SpecRules, WhatIsLeftOutIsTheConfiguredDefault) {
  const auto resolved = ResolveSpec({}, Options());
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->spec.template_name, "host");
  EXPECT_EQ(resolved->limits.memory, 512 * kMiB);
  EXPECT_EQ(resolved->spec.memory, 512 * kMiB);
  EXPECT_EQ(resolved->spec.timeout, Millis(86'400'000));
  EXPECT_EQ(resolved->spec.idle_timeout, Millis(1'800'000));
  EXPECT_EQ(resolved->spec.on_timeout, OnTimeout::kDestroy);
  EXPECT_TRUE(resolved->required.empty());
}

TEST(SpecRules, PrivilegesOfRootAreGivenWhereTheAdministratorAllowsThem) {
  ManagerOptions options = Options();
  const SandboxSpec asked{.privileges = Privileges::kRoot};
  const auto refused = ResolveSpec(asked, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPermissionDenied);
  EXPECT_THAT(refused.error().ToString(), HasSubstr("allow_root"));
  EXPECT_EQ(ResolveSpec({}, options)->spec.privileges, Privileges::kNone);
  options.allow_root = true;
  EXPECT_EQ(ResolveSpec(asked, options)->spec.privileges, Privileges::kRoot);
  EXPECT_EQ(ResolveSpec({}, options)->spec.privileges, Privileges::kNone);
}

TEST(SpecRules, ANetworkIsWithinTheAdministratorsBounds) {
  ManagerOptions options = Options();
  options.network.bounds = {
      .max_mode = network::Mode::kAllow, .private_allowed = {"10.1.2.0/24:5432"}, .deny = {}};
  const auto code = [&](const network::Spec& policy) {
    const auto resolved = ResolveSpec({.network = {.policy = policy}}, options);
    return resolved ? ErrorCode::kInternal : resolved.error().code();
  };
  using network::Mode;
  EXPECT_EQ(code({}), ErrorCode::kInternal);
  EXPECT_EQ(code({.mode = Mode::kAllow, .allow = {"10.1.2.7:5432"}, .presets = {"pypi"}}),
            ErrorCode::kInternal);
  EXPECT_EQ(code({.mode = Mode::kOpen}), ErrorCode::kPermissionDenied);
  EXPECT_EQ(code({.mode = Mode::kAllow, .allow = {"10.1.3.7:5432"}}), ErrorCode::kPermissionDenied);
  const auto unknown =
      ResolveSpec({.network = {.policy = {.mode = Mode::kAllow, .presets = {"all"}}}}, options);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(unknown.error().sys_errno(), EINVAL);  // well formed: 422
  EXPECT_THAT(unknown.error().message(), HasSubstr("\"all\""));
}

TEST(SpecRules, LimitsOfANetworkHaveBounds) {
  network::NetworkLimits limits;
  const auto allowed = [&] {
    return ResolveSpec({.network = {.limits = limits}}, Options()).has_value();
  };
  EXPECT_TRUE(allowed());
  limits.connections = network::NetworkLimits::kMaxConnections + 1;
  EXPECT_FALSE(allowed());
  limits = {.connections = 0};
  EXPECT_FALSE(allowed());
  limits = {.connections_per_second = 0};
  EXPECT_FALSE(allowed());
  limits = {.idle_seconds = 0};
  EXPECT_FALSE(allowed());
}

TEST(SpecRules, AChangeOfTheNetworkReplacesAllOfIt) {
  ManagerOptions options = Options();
  SandboxSpec spec;
  spec.network.policy = {.mode = network::Mode::kAllow, .deny = {"a.example"}};
  spec.network.limits.connections = 5;
  const SandboxChange change{.network = NetworkSpec{.policy = {.mode = network::Mode::kOpen}}};
  const auto changed = ResolveChange(spec, {}, change, options);
  ASSERT_TRUE(changed) << changed.error().ToString();
  EXPECT_EQ(changed->spec.network, *change.network);
  EXPECT_FALSE(changed->limits_changed);
  EXPECT_EQ(ResolveChange(spec, {}, {}, options)->spec.network, spec.network);
  options.network.bounds.max_mode = network::Mode::kNone;
  EXPECT_FALSE(ResolveChange(spec, {}, change, options));
  EXPECT_TRUE(ResolveChange(spec, {}, {.network = NetworkSpec{}}, options));
}

TEST(SpecRules, OnlyLimitsThatTheCallerNamedAreRequired) {
  const auto resolved = ResolveSpec({.memory = kGiB}, Options());
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->limits.memory, kGiB);
  EXPECT_TRUE(resolved->required.Contains(engine::LimitKind::kMemory));
  EXPECT_FALSE(resolved->required.Contains(engine::LimitKind::kCpus));
}

TEST(SpecRules, AValueOverItsMaximumIsRefusedNamingItAndTheKey) {
  const auto memory = ResolveSpec({.memory = 3 * kGiB}, Options());
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_THAT(memory.error().message(), HasSubstr("2g"));
  EXPECT_THAT(memory.error().remedy().text(), HasSubstr("limits.maxima.memory"));
  const auto cpus = ResolveSpec({.cpus = 2001}, Options());
  ASSERT_FALSE(cpus);
  EXPECT_THAT(cpus.error().remedy().text(), HasSubstr("limits.maxima.cpus"));
  EXPECT_TRUE(ResolveSpec({.memory = 2 * kGiB, .cpus = 2000}, Options()));
}

TEST(SpecRules, NoTimeoutIsAllowedOnlyWhereThereIsNoMaximum) {
  ManagerOptions options = Options();
  const auto refused = ResolveSpec({.timeout = Millis(0)}, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("timeouts.max_lifetime"));
  options.max_timeout = Millis(0);
  EXPECT_TRUE(ResolveSpec({.timeout = Millis(0)}, options));
  EXPECT_TRUE(ResolveSpec({.timeout = Millis(1'000'000'000'000)}, options));
}

TEST(SpecRules, TimesOverTheirMaximumOrBelowNothingAreRefused) {
  EXPECT_EQ(CodeOf({.timeout = Millis(604'800'001)}), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(CodeOf({.idle_timeout = Millis(86'400'001)}), ErrorCode::kLimitTooHigh);
  EXPECT_EQ(CodeOf({.timeout = Millis(-1)}), ErrorCode::kInvalidArgument);
}

TEST(SpecRules, ProcessorTimeIsInWholeSecondsAndWithinItsMaximum) {
  ManagerOptions options = Options();
  EXPECT_EQ(ResolveSpec({}, options)->spec.cpu_time, Millis(0));
  EXPECT_EQ(ResolveSpec({.cpu_time = Millis(300'000)}, options)->spec.cpu_time, Millis(300'000));
  EXPECT_EQ(CodeOf({.cpu_time = Millis(1500)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.cpu_time = Millis(-1000)}), ErrorCode::kInvalidArgument);
  options.default_cpu_time = Millis(10'000);
  options.max_cpu_time = Millis(20'000);
  EXPECT_EQ(ResolveSpec({}, options)->spec.cpu_time, Millis(10'000));
  for (const Millis over : {Millis(0), Millis(21'000)}) {
    const auto refused = ResolveSpec({.cpu_time = over}, options);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kLimitTooHigh);
    EXPECT_THAT(refused.error().remedy().text(), HasSubstr("limits.maxima.cpu_time"));
  }
}

TEST(SpecRules, NamesThatAreNoneAreRefused) {
  for (const char* name : {"-a", ".a", "a b", "a/b", "ä", "..", "a\n"})
    EXPECT_EQ(CodeOf({.name = name}), ErrorCode::kInvalidArgument) << name;
  EXPECT_EQ(CodeOf({.name = std::string(129, 'a')}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.project = "../x"}), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(ResolveSpec({.name = std::string(128, 'a'), .project = "A.b_c-1"}, Options()));
}

TEST(SpecRules, EnvironmentMetadataAndPlacesHaveBounds) {
  EXPECT_EQ(CodeOf({.env = {{"A=B", "x"}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.env = {{"", "x"}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.env = {{"A", std::string("x\0y", 3)}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.env = {{"A", std::string(300'000, 'x')}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.metadata = {{"k", std::string(4097, 'x')}}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf({.workdir = "relative"}), ErrorCode::kInvalidArgument);
  StringMap many;
  for (int i = 0; i < 65; ++i) many[std::to_string(i)] = "x";
  EXPECT_EQ(CodeOf({.metadata = many}), ErrorCode::kInvalidArgument);
}

TEST(SpecRules, WithoutRootsNothingOfTheHostIsMounted) {
  EXPECT_EQ(CodeOf({.mounts = {{"/etc", "/data", true}}}), ErrorCode::kPermissionDenied);
  EXPECT_EQ(CodeOf({.mounts = {{"relative", "/data", true}}}), ErrorCode::kInvalidArgument);
}

TEST(SpecRules, AChangeTouchesWhatItNames) {
  const auto resolved = ResolveSpec({.name = "a", .metadata = {{"k", "v"}}}, Options());
  ASSERT_TRUE(resolved);
  const auto changed =
      ResolveChange(resolved->spec, resolved->limits, {.pids = 12, .name = "b"}, Options());
  ASSERT_TRUE(changed);
  EXPECT_TRUE(changed->limits_changed);
  EXPECT_EQ(changed->limits.pids, 12U);
  EXPECT_EQ(changed->limits.memory, resolved->limits.memory);
  EXPECT_EQ(changed->spec.name, "b");
  EXPECT_EQ(changed->spec.metadata.at("k"), "v");
  EXPECT_FALSE(ResolveChange(resolved->spec, resolved->limits, {.memory = 3 * kGiB}, Options()));
}

TEST(SpecRules, WhoReachesASandboxIsSaidInNamesAndPortsWithBounds) {
  const auto code = [](NetworkSpec network) { return CodeOf({.network = std::move(network)}); };
  EXPECT_TRUE(ResolveSpec({.network = {.join = {"app", "B.2_x"},
                                       .aliases = {"db.internal"},
                                       .publish = {"0:80", "0:80", "8080:80"}}},
                          Options()));
  for (const char* name : {"", "-a", "a b", "a/b", "ä"}) {
    EXPECT_EQ(code({.join = {name}}), ErrorCode::kInvalidArgument) << name;
    EXPECT_EQ(code({.aliases = {name}}), ErrorCode::kInvalidArgument) << name;
  }
  const auto many = [](size_t count) { return std::vector<std::string>(count, "a"); };
  EXPECT_EQ(code({.join = many(NetworkSpec::kMaxJoin + 1)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.aliases = many(NetworkSpec::kMaxAliases + 1)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.publish = std::vector<std::string>(NetworkSpec::kMaxPublish + 1, "0:80")}),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.publish = {"8080"}}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.publish = {"8080:80", "127.0.0.1:8080:81"}}), ErrorCode::kInvalidArgument);
}

TEST(SpecRules, IdempotencyKeysArePrintableAndShort) {
  EXPECT_TRUE(CheckIdempotencyKey("0b8c6a3e-2f1d-4b6e"));
  EXPECT_FALSE(CheckIdempotencyKey("a b"));
  EXPECT_FALSE(CheckIdempotencyKey("a\n"));
  EXPECT_FALSE(CheckIdempotencyKey(std::string(256, 'a')));
}

VolumeUse Use(std::string name, std::string path) {
  return {.name = std::move(name), .path = std::move(path), .read_only = false};
}

TEST(VolumeRules, VolumesByShortNamesAtAbsolutePathsAreTaken) {
  EXPECT_TRUE(CheckVolumeUses({}));
  EXPECT_TRUE(CheckVolumeUses({Use("data", "/data"), Use("a.b_c-1", "/workspace/x")}));
}

TEST(VolumeRules, NamesThatAreNotTheOwnersAreRefused) {
  for (const char* name : {"", "@other/data", "a/b", "../x", "UPPER", ".hidden"})
    EXPECT_FALSE(CheckVolumeUses({Use(name, "/data")})) << name;
}

TEST(VolumeRules, PathsThatAreNotAbsoluteAreRefused) {
  for (const std::string& path : {std::string(), std::string("data"), std::string("/a\0b", 4)})
    EXPECT_FALSE(CheckVolumeUses({Use("data", path)})) << path;
}

TEST(VolumeRules, NothingIsNamedTwiceAndNoMoreThanThereMayBe) {
  EXPECT_FALSE(CheckVolumeUses({Use("data", "/a"), Use("data", "/b")}));
  EXPECT_FALSE(CheckVolumeUses({Use("a", "/data"), Use("b", "/data")}));
  std::vector<VolumeUse> many;
  for (int i = 0; i < 16; ++i)
    many.push_back(Use("v" + std::to_string(i), "/v" + std::to_string(i)));
  EXPECT_TRUE(CheckVolumeUses(many));
  many.push_back(Use("more", "/more"));
  EXPECT_FALSE(CheckVolumeUses(many));
}

}  // namespace
}  // namespace cay::sandbox
