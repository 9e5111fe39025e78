#include "sandbox/rules/network_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using network::Mode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

NetworkOptions WithTemplate() {
  NetworkOptions options;
  options.of_templates["web"] = {.policy = {.mode = Mode::kAllow, .allow = {"example.com:443"}},
                                 .join = {"app"}};
  return options;
}

std::string ErrorOf(const NetworkSpec& asked, const NetworkOptions& options) {
  const auto resolved = ResolveNetwork(asked, "web", options);
  return resolved ? "none" : resolved.error().ToString();
}

TEST(ResolveNetwork, WhatIsNotAskedForIsTheTemplates) {
  const NetworkOptions options = WithTemplate();
  const auto resolved = ResolveNetwork({}, "web", options);
  ASSERT_TRUE(resolved);
  EXPECT_THAT(resolved->policy.allow, ElementsAre("example.com:443"));
  EXPECT_THAT(resolved->join, ElementsAre("app"));
  const auto other = ResolveNetwork({}, "host", options);
  ASSERT_TRUE(other);
  EXPECT_EQ(*other, NetworkSpec()) << "of another template";
}

TEST(ResolveNetwork, WhatIsAskedForReplacesAllOfIt) {
  const NetworkOptions options = WithTemplate();
  const auto none = ResolveNetwork({.said = true}, "web", options);
  ASSERT_TRUE(none);
  EXPECT_EQ(*none, NetworkSpec()) << "also where it is none";
  const auto other = ResolveNetwork({.policy = {.mode = Mode::kOpen}}, "web", options);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->policy.mode, Mode::kOpen);
  EXPECT_THAT(other->policy.allow, ElementsAre());
  EXPECT_THAT(other->join, ElementsAre());
}

TEST(ResolveNetwork, TheTemplatesIsBoundedAsAnyOther) {
  NetworkOptions options = WithTemplate();
  options.bounds.max_mode = Mode::kNone;
  EXPECT_THAT(ErrorOf({}, options), HasSubstr("network.max_mode"));
  EXPECT_EQ(ErrorOf({.said = true}, options), "none");
}

TEST(ResolveNetwork, LimitsThatAreLeftOutAreWithinTheMaxima) {
  NetworkOptions options;
  options.maxima = {.connections = 10,
                    .connections_per_second = 1000,
                    .bytes_per_second = 5000,
                    .bytes = 0,
                    .idle = std::chrono::seconds(60)};
  const auto resolved = ResolveNetwork({.said = true}, "web", options);
  ASSERT_TRUE(resolved) << resolved.error().ToString();
  EXPECT_EQ(resolved->limits.connections, 10U);
  EXPECT_EQ(resolved->limits.connections_per_second, 100U) << "less than the maximum";
  EXPECT_EQ(resolved->limits.bytes_per_second, 5000U);
  EXPECT_EQ(resolved->limits.bytes, 0U);
  EXPECT_EQ(resolved->limits.idle_seconds, 60U);
  EXPECT_EQ(resolved->said_limits, 0U);
}

TEST(ResolveNetwork, LimitsThatWereSaidAreRefusedOverAMaximum) {
  NetworkOptions options;
  options.maxima = {.connections = 256,
                    .connections_per_second = 50,
                    .bytes_per_second = 5000,
                    .bytes = 1'000'000,
                    .idle = std::chrono::seconds(60)};
  struct Case {
    NetworkSpec asked;
    const char* says;
  };
  const Case cases[] = {
      {{.limits = {.connections = 257}}, "network.max_connections "},
      {{.said_limits = 1U << 1}, "\"network.limits.connections_per_second\" of 100 is over"},
      {{.limits = {.bytes_per_second = 5001}}, "network.max_bytes_per_second"},
      {{.said_limits = 1U << 2}, "\"network.limits.bytes_per_second\" of any number is over"},
      {{.said_limits = 1U << 3}, "network.max_bytes "},
      {{.said_limits = 1U << 4}, "\"network.limits.idle\" of 3600s is over the maximum of 60s"},
  };
  for (const Case& one : cases) EXPECT_THAT(ErrorOf(one.asked, options), HasSubstr(one.says));
  EXPECT_EQ(ErrorOf({.limits = {.connections = 256, .connections_per_second = 50}}, options),
            "none");
}

}  // namespace
}  // namespace cay::sandbox
