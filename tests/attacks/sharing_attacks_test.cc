// Two sandboxes beside each other: what one does must not be seen, felt or found by the other.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "live_sandbox.h"

namespace cay::attacks {
namespace {

class Sharing : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }

  // A sandbox that runs `probe` until it says "ready", and goes on until its input is closed.
  std::unique_ptr<ChildProcess> Hold(const std::string& probe, const std::string& options = {}) {
    auto child = arena_.Attack(probe, "-i " + options);
    EXPECT_TRUE(child->WaitForLine("ready")) << "held nothing: " << child->Wait().err;
    return child;
  }
  std::string Try(const std::string& probe) { return VerdictOf(arena_.Attack(probe)->Wait()); }
  static std::string End(ChildProcess& child) {
    child.CloseInput();
    return VerdictOf(child.Wait());
  }

  Arena& arena_ = Arena::Own();
};

constexpr const char* kSharedFile = "/usr/bin/env";

TEST_F(Sharing, ALockOnAFileOfTheTemplateIsNotSeenByAnotherSandbox) {
  const auto holder = Hold(std::string("hold_lock ") + kSharedFile);
  EXPECT_EQ(Try(std::string("take_lock ") + kSharedFile), "through");
  EXPECT_EQ(End(*holder), "held");
}

TEST_F(Sharing, AWatchOnAFileOfTheTemplateDoesNotSeeAnotherSandboxUseIt) {
  const auto watcher = Hold(std::string("hold_watch ") + kSharedFile);
  EXPECT_EQ(Try(std::string("take_lock ") + kSharedFile), "through");
  EXPECT_EQ(End(*watcher), "saw nothing");
}

TEST_F(Sharing, AWatchSeesItsOwnSandbox) {
  const auto watcher = Hold("hold_watch /tmp");
  EXPECT_EQ(End(*watcher), "saw nothing");
}

TEST_F(Sharing, AFileOfTheTemplateCannotBeLeased) {
  EXPECT_EQ(Try(std::string("lease ") + kSharedFile), "refused EINVAL");
}

// Who writes to a leased file waits until the lease is given back or broken, the host too.
TEST_F(Sharing, AFileOfAReadOnlyMountCannotBeLeasedByItsOwner) {
  EXPECT_EQ(Try("lease /attack/attack-victim"), "refused EINVAL");
}

std::string ParameterText(const testing::TestParamInfo<const char*>& info) { return info.param; }

class Exhaustion : public Sharing, public testing::WithParamInterface<const char*> {};

TEST_P(Exhaustion, InOneSandboxLeavesEnoughForAnother) {
  const auto holder = Hold(std::string("hold_all ") + GetParam(), "--memory 256m");
  EXPECT_EQ(Try(std::string("make_one ") + GetParam()), "through");
  EXPECT_EQ(VerdictOf(arena_.Outside(std::string("make_one ") + GetParam())->Wait()), "through");
  EXPECT_EQ(End(*holder), "held");
}

INSTANTIATE_TEST_SUITE_P(Of, Exhaustion,
                         testing::Values("inotify", "pty", "mqueue", "pipe", "descriptor"),
                         ParameterText);

// CAY_ATTACK_ROUNDS: 1000 for the full form.
unsigned Rounds(unsigned short_form) {
  const char* text = std::getenv("CAY_ATTACK_ROUNDS");
  return text == nullptr ? short_form : static_cast<unsigned>(std::atoi(text));
}

TEST_F(Sharing, AMarkerLeftEverywhereIsNeverFoundAgain) {
  EXPECT_EQ(Try("leave_marker marked-by-an-earlier-sandbox"), "left");
  for (unsigned round = 0; round < Rounds(25); ++round) ASSERT_EQ(Try("find_marker"), "nothing");
}

TEST_F(Sharing, AMarkerIsFoundWhereItWasLeft) {
  const std::string script =
      "/attack/attack-victim leave_marker x && /attack/attack-victim find_marker";
  const std::string mount = arena_.directory() + "/bin:/attack:ro";
  const auto outcome =
      arena_.Cay({"run", "--quiet", "--mount", mount, "--", "sh", "-c", script})->Wait();
  EXPECT_TRUE(VerdictOf(outcome).starts_with("found")) << outcome.out << outcome.err;
}

// What a neighbour waits for a command, in microseconds: the 99th percentile.
long SlowCommand(const LiveSandbox& sandbox) {
  std::vector<long> times;
  for (int i = 0; i < 300; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(sandbox.Execute({"true"}).exit_code, 0);
    times.push_back(std::chrono::duration_cast<std::chrono::microseconds>(
                        std::chrono::steady_clock::now() - begin)
                        .count());
  }
  std::ranges::nth_element(times, times.begin() + 297);
  return times[297];
}

// Only in the long form, on a machine that is otherwise idle: it is about time.
TEST_F(Sharing, ANeighbourIsHardlySlowedDown) {
  if (std::getenv("CAY_ATTACK_ROUNDS") == nullptr) GTEST_SKIP() << "part of ./dev test-leaks";
  double load = 0;
  if (::getloadavg(&load, 1) != 1 || load > 0.5) GTEST_SKIP() << "the machine has other work";
  const auto engine = StartEngine(arena_);
  const engine::RootFilesystem root = HostTemplate(arena_);
  const LiveSandbox neighbour(*engine, root);
  for (const char* probe : {"spin 128 60", "signal_storm 60", "fsync_storm /tmp 60"}) {
    const long before = SlowCommand(neighbour);
    const LiveSandbox attacker(*engine, root);
    std::vector<std::string> argv = SplitWords(probe);
    argv.insert(argv.begin(), "/attack/attack-victim");
    const auto attack = attacker.Start(argv);
    const long during = SlowCommand(neighbour);
    std::printf("%s: p99 %ld us before, %ld us during\n", probe, before, during);
    EXPECT_LT(during, 2 * before) << probe;
  }
}

}  // namespace
}  // namespace cay::attacks
