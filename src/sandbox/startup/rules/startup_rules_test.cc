#include "sandbox/startup/rules/startup_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Kind = AskedEntrypoint::Kind;
using templates::oci::ProcessConfig;

ProcessConfig Image() {
  ProcessConfig image;
  image.entrypoint = {"/entry"};
  image.cmd = {"serve"};
  image.stop_signal = "SIGQUIT";
  return image;
}

SandboxSpec Asking(Kind kind, std::vector<std::string> argv = {},
                   std::vector<std::string> cmd = {}) {
  SandboxSpec spec;
  spec.entrypoint = {.kind = kind, .argv = std::move(argv)};
  spec.cmd = std::move(cmd);
  return spec;
}

std::vector<std::string> CommandFor(const SandboxSpec& spec) {
  const ProcessConfig image = Image();
  const auto plan = PlanStartup(spec, "t", &image);
  if (!plan || !*plan) return {};
  return (*plan)->command;
}

TEST(PlanStartup, IsForThoseWhoAskForIt) {
  const ProcessConfig image = Image();
  EXPECT_EQ(PlanStartup(Asking(Kind::kLeftOut), "t", &image).value(), std::nullopt);
  EXPECT_EQ(PlanStartup(Asking(Kind::kNone), "t", &image).value(), std::nullopt);
  EXPECT_THAT(CommandFor(Asking(Kind::kImages)), ElementsAre("/entry", "serve"));
  EXPECT_THAT(CommandFor(Asking(Kind::kLeftOut, {}, {"x"})), ElementsAre("/entry", "x"));
  EXPECT_THAT(CommandFor(Asking(Kind::kOwn, {"/own"}, {"x"})), ElementsAre("/own", "x"));
  EXPECT_THAT(CommandFor(Asking(Kind::kOwn)), ElementsAre("serve"));
}

TEST(PlanStartup, TakesTheImagesStopSignal) {
  const ProcessConfig image = Image();
  EXPECT_EQ(PlanStartup(Asking(Kind::kImages), "t", &image).value()->stop_signal, 3U);
  EXPECT_EQ(PlanStartup(Asking(Kind::kOwn, {"x"}), "t", nullptr).value()->stop_signal, 15U);
  ProcessConfig wrong = Image();
  wrong.stop_signal = "SIGNOTHING";
  EXPECT_THAT(PlanStartup(Asking(Kind::kImages), "t", &wrong).error().message(),
              HasSubstr("stop signal"));
}

TEST(PlanStartup, SaysWhereNobodySaysWhatToStart) {
  EXPECT_THAT(PlanStartup(Asking(Kind::kImages), "host", nullptr).error().message(),
              HasSubstr("the template host says neither"));
}

TEST(PlanStartup, HasABound) {
  EXPECT_EQ(PlanStartup(Asking(Kind::kOwn, {std::string(kMaxStartupBytes, 'x')}), "t", nullptr)
                .error()
                .code(),
            ErrorCode::kLimitTooHigh);
  EXPECT_FALSE(CheckStartupAsked(Asking(Kind::kImages, {}, {std::string("a\0b", 3)})));
  EXPECT_FALSE(
      CheckStartupAsked(Asking(Kind::kOwn, std::vector<std::string>(kMaxStartupWords + 1, "x"))));
  EXPECT_FALSE(CheckStartupAsked(Asking(Kind::kNone, {}, {"x"})));
  EXPECT_TRUE(CheckStartupAsked(Asking(Kind::kOwn, {"x"}, {"y"})));
}

ProcessConfig Tested(std::vector<std::string> test) {
  ProcessConfig image = Image();
  image.healthcheck.emplace().test = std::move(test);
  return image;
}

TEST(PlanCheck, TakesACommandOrALineOfTheShell) {
  EXPECT_THAT(PlanCheck(Tested({"CMD", "curl", "-f"}))->argv, ElementsAre("curl", "-f"));
  EXPECT_THAT(PlanCheck(Tested({"CMD-SHELL", "a && b"}))->argv,
              ElementsAre("/bin/sh", "-c", "a && b"));
  ProcessConfig image = Tested({"CMD-SHELL", "a"});
  image.shell = {"/bin/bash", "-ec"};
  EXPECT_THAT(PlanCheck(image)->argv, ElementsAre("/bin/bash", "-ec", "a"));
}

TEST(PlanCheck, ThereIsNoneWhereTheImageHasNone) {
  EXPECT_EQ(PlanCheck(Image()), std::nullopt);
  for (const auto& test : std::vector<std::vector<std::string>>{
           {}, {"NONE"}, {"CMD"}, {"CMD", ""}, {"curl", "-f"}, {"CMD-SHELL"}}) {
    EXPECT_EQ(PlanCheck(Tested(test)), std::nullopt) << test.size();
  }
}

TEST(PlanCheck, FillsInDockersDefaults) {
  const CheckPlan plan = *PlanCheck(Tested({"CMD", "true"}));
  EXPECT_EQ(plan, (CheckPlan{.argv = {"true"},
                             .interval = Millis(30'000),
                             .timeout = Millis(30'000),
                             .start_period = Millis(0),
                             .start_interval = Millis(5000),
                             .retries = 3}));
}

TEST(PlanCheck, TakesTheImagesTimesAndNoIntervalIsShorterThanASecond) {
  ProcessConfig image = Tested({"CMD", "true"});
  image.healthcheck->interval = std::chrono::milliseconds(2);
  image.healthcheck->timeout = std::chrono::nanoseconds(1'500'001);
  image.healthcheck->start_period = std::chrono::seconds(7);
  image.healthcheck->retries = 1;
  const CheckPlan plan = *PlanCheck(image);
  EXPECT_EQ(plan.interval, Millis(1000));
  EXPECT_EQ(plan.timeout, Millis(2));
  EXPECT_EQ(plan.start_period, Millis(7000));
  EXPECT_EQ(plan.retries, 1U);
}

CheckResult Ended(int32_t exit_code, int64_t at_ms = 0) {
  return {.started_unix_ms = at_ms, .ended_unix_ms = at_ms + 1, .exit_code = exit_code};
}

TEST(NoteCheck, OneThatSucceedsMakesItHealthy) {
  CheckReport report;
  EXPECT_TRUE(NoteCheck(report, {}, Ended(0), 0));
  EXPECT_EQ(report.status, CheckStatus::kHealthy);
  EXPECT_FALSE(NoteCheck(report, {}, Ended(0), 0));
}

TEST(NoteCheck, SeveralThatFailOneAfterAnotherMakeItUnhealthy) {
  CheckReport report;
  EXPECT_FALSE(NoteCheck(report, {}, Ended(1), 0));
  EXPECT_FALSE(NoteCheck(report, {}, Ended(1), 0));
  EXPECT_TRUE(NoteCheck(report, {}, Ended(-1), 0));
  EXPECT_EQ(report.status, CheckStatus::kUnhealthy);
  EXPECT_EQ(report.failing_streak, 3U);
  EXPECT_TRUE(NoteCheck(report, {}, Ended(0), 0));
  EXPECT_EQ(report.failing_streak, 0U);
}

TEST(NoteCheck, WhatFailsInTheStartPeriodIsNotCountedBeforeTheFirstSuccess) {
  const CheckPlan plan{.start_period = Millis(1000), .retries = 1};
  CheckReport report;
  EXPECT_FALSE(NoteCheck(report, plan, Ended(1, 5999), 5000));
  EXPECT_EQ(report.failing_streak, 0U);
  EXPECT_TRUE(NoteCheck(report, plan, Ended(0, 5999), 5000));
  EXPECT_TRUE(NoteCheck(report, plan, Ended(1, 5999), 5000));
  EXPECT_EQ(report.status, CheckStatus::kUnhealthy);
  CheckReport late;
  EXPECT_TRUE(NoteCheck(late, plan, Ended(1, 6000), 5000));
}

TEST(NoteCheck, KeepsTheLastResults) {
  CheckReport report;
  for (int i = 1; i <= 8; ++i) NoteCheck(report, {}, Ended(i), 0);
  ASSERT_THAT(report.log, SizeIs(kMaxCheckLog));
  EXPECT_EQ(report.log.front().exit_code, 4);
  EXPECT_EQ(report.log.back().exit_code, 8);
}

TEST(PauseBeforeCheck, IsShorterWhileItStarts) {
  const CheckPlan plan{.start_period = Millis(10'000)};
  EXPECT_EQ(PauseBeforeCheck(plan, CheckStatus::kStarting, Millis(9999)), Millis(5000));
  EXPECT_EQ(PauseBeforeCheck(plan, CheckStatus::kStarting, Millis(10'000)), Millis(30'000));
  EXPECT_EQ(PauseBeforeCheck(plan, CheckStatus::kHealthy, Millis(0)), Millis(30'000));
}

SandboxView ViewOf(SandboxState state, StartupState of_startup) {
  SandboxView view{.id = *SandboxId::Parse(std::string(20, 'a'))};
  view.state = state;
  view.reason = "idle_timeout";
  view.startup.emplace().state = of_startup;
  view.startup->process = 7;
  view.startup->plan.command = {"x"};
  view.startup->plan.check.emplace();
  view.health.emplace().status = CheckStatus::kHealthy;
  return view;
}

TEST(RenewStartup, ForgetsTheProcessBefore) {
  SandboxView view = ViewOf(SandboxState::kRunning, StartupState::kExited);
  RenewStartup(view);
  EXPECT_EQ(view.startup->state, StartupState::kStarting);
  EXPECT_EQ(view.startup->process, 0U);
  EXPECT_THAT(view.startup->plan.command, ElementsAre("x"));
  EXPECT_EQ(view.health->status, CheckStatus::kStarting);
  SandboxView without{.id = view.id};
  RenewStartup(without);
  EXPECT_FALSE(without.startup || without.health);
}

TEST(SettleStartup, WhatRanEndedWithItsSandbox) {
  SandboxView stopped = ViewOf(SandboxState::kStopped, StartupState::kRunning);
  SettleStartup(stopped);
  EXPECT_EQ(stopped.startup->state, StartupState::kLost);
  EXPECT_EQ(stopped.startup->reason, "idle_timeout");
  EXPECT_FALSE(stopped.health);
  SandboxView ended = ViewOf(SandboxState::kStopped, StartupState::kExited);
  SettleStartup(ended);
  EXPECT_EQ(ended.startup->state, StartupState::kExited);
  SandboxView paused = ViewOf(SandboxState::kPaused, StartupState::kRunning);
  SettleStartup(paused);
  EXPECT_EQ(paused.startup->state, StartupState::kRunning);
  EXPECT_TRUE(paused.health);
}

}  // namespace
}  // namespace cay::sandbox
