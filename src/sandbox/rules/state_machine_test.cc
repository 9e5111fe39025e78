#include "sandbox/rules/state_machine.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace cay::sandbox {
namespace {

using enum SandboxState;

constexpr SandboxState kStates[] = {kCreating, kRunning, kPaused, kStopped, kFailed, kDestroyed};
const std::map<Act, std::set<SandboxState>> kAllowed = {
    {Act::kUse, {kRunning}},
    {Act::kFiles, {kRunning, kStopped}},
    {Act::kStart, {kStopped, kFailed}},
    {Act::kStop, {kRunning, kPaused}},
    {Act::kPause, {kRunning}},
    {Act::kResume, {kPaused}},
    {Act::kReset, {kRunning}},
    {Act::kSnapshot, {kRunning, kPaused, kStopped}},
    {Act::kLimit, {kRunning, kPaused, kStopped}},
    {Act::kChange, {kRunning, kPaused, kStopped, kFailed}},
    {Act::kMeasure, {kRunning, kPaused, kStopped, kFailed}},
    {Act::kDestroy, {kRunning, kPaused, kStopped, kFailed}},
};

TEST(StateMachine, AllowsTheListAndRefusesEverythingElseWithARemedy) {
  const SandboxId id = *SandboxId::Parse("abcdefghijklmnopqrst");
  for (const auto& [act, states] : kAllowed) {
    for (const SandboxState state : kStates) {
      const auto checked = CheckAct(act, id, state);
      ASSERT_EQ(checked.has_value(), states.contains(state))
          << static_cast<int>(act) << " " << SandboxStateName(state);
      if (checked) continue;
      EXPECT_EQ(checked.error().code(), ErrorCode::kIllegalState);
      EXPECT_EQ(checked.error().fault(), Fault::kCaller);
      EXPECT_FALSE(checked.error().remedy().text().empty());
      EXPECT_NE(checked.error().message().find(SandboxStateName(state)), std::string::npos);
    }
  }
}

TEST(StateMachine, WhatIsSoAlreadyIsDone) {
  const std::map<Act, std::set<SandboxState>> done = {{Act::kStart, {kRunning}},
                                                      {Act::kResume, {kRunning}},
                                                      {Act::kStop, {kStopped, kFailed}},
                                                      {Act::kPause, {kPaused}}};
  for (const auto& [act, allowed] : kAllowed) {
    const auto found = done.find(act);
    for (const SandboxState state : kStates) {
      const bool expected = found != done.end() && found->second.contains(state);
      EXPECT_EQ(IsDone(act, state), expected)
          << static_cast<int>(act) << " " << SandboxStateName(state);
      EXPECT_FALSE(IsDone(act, state) && allowed.contains(state));
    }
  }
}

}  // namespace
}  // namespace cay::sandbox
