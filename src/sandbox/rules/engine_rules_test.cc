#include "sandbox/rules/engine_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;

EngineFacts Simple() {
  return {.description = {.name = "simple", .version = "1", .runs_on = "paper", .stages = {}},
          .can = {}};
}

EngineFacts Able() {
  EngineFacts able = Simple();
  able.can = {.pause = true,
              .reset = true,
              .visit = true,
              .update_limits = true,
              .disk_limit = true,
              .host_mounts = true,
              .network_policy = true,
              .root = true};
  return able;
}

TEST(EngineRules, WhatIsNotClaimedIsNotSupportedAndTheEngineIsNamed) {
  for (const Act act : {Act::kPause, Act::kResume, Act::kReset, Act::kLimit, Act::kFiles}) {
    EXPECT_TRUE(CheckCan(act, Able()));
    const auto refused = CheckCan(act, Simple());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kNotSupported);
    EXPECT_THAT(refused.error().message(), HasSubstr("simple"));
    EXPECT_FALSE(refused.error().remedy().empty());
  }
}

TEST(EngineRules, WhatEveryEngineMustIsNotAsked) {
  for (const Act act :
       {Act::kUse, Act::kStart, Act::kStop, Act::kChange, Act::kMeasure, Act::kDestroy})
    EXPECT_TRUE(CheckCan(act, Simple()));
}

TEST(EngineRules, OneCapabilityIsOneAct) {
  EngineFacts pauses = Simple();
  pauses.can.pause = true;
  EXPECT_TRUE(CheckCan(Act::kPause, pauses));
  EXPECT_TRUE(CheckCan(Act::kResume, pauses));
  EXPECT_FALSE(CheckCan(Act::kReset, pauses));
  EXPECT_FALSE(CheckCan(Act::kLimit, pauses));
  EXPECT_FALSE(CheckCan(Act::kFiles, pauses));
}

TEST(EngineRules, MountsProjectsPausesAndPrivilegesOfASpecAreSeen) {
  const SandboxSpec plain{.on_timeout = OnTimeout::kStop};
  EXPECT_TRUE(CheckCan(plain, Simple()));
  SandboxSpec mounted = plain;
  mounted.mounts = {{.source = "/srv", .target = "/srv"}};
  SandboxSpec project = plain;
  project.project = "books";
  SandboxSpec paused = plain;
  paused.on_timeout = OnTimeout::kPause;
  SandboxSpec networked = plain;
  networked.network.policy.mode = network::Mode::kOpen;
  SandboxSpec privileged = plain;
  privileged.privileges = Privileges::kRoot;
  for (const SandboxSpec& spec : {mounted, project, paused, networked, privileged}) {
    EXPECT_TRUE(CheckCan(spec, Able()));
    const auto refused = CheckCan(spec, Simple());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kNotSupported);
  }
}

}  // namespace
}  // namespace cay::sandbox
