#include "sandbox/rules/deadlines.h"

#include <gtest/gtest.h>

#include <mutex>

#include "base/clock.h"
#include "sandbox/state/timer.h"

namespace cay::sandbox {
namespace {

constexpr int64_t kNow = 1'000'000;

Times Idle(int64_t since, int64_t timeout) {
  return {.last_activity_ms = kNow - since, .idle_timeout_ms = timeout, .expires_ms = {}};
}

TEST(Deadlines, IdleTooLongIsDueFromItsMillisecondOn) {
  EXPECT_EQ(WhatIsDue(Idle(99, 100), kNow), Due::kNothing);
  EXPECT_EQ(WhatIsDue(Idle(100, 100), kNow), Due::kIdle);
}

TEST(Deadlines, WhatIsInUseIsNotIdleHoweverLongAgoItBegan) {
  Times times = Idle(100'000, 100);
  times.in_use = true;
  EXPECT_EQ(WhatIsDue(times, kNow), Due::kNothing);
  EXPECT_EQ(NextLook(times, kNow), kNow + 100);
}

TEST(Deadlines, NothingIsIdleWithoutATimeout) {
  EXPECT_EQ(WhatIsDue(Idle(kNow, 0), kNow), Due::kNothing);
  EXPECT_EQ(NextLook(Idle(kNow, 0), kNow), std::nullopt);
}

TEST(Deadlines, TheEndOfLifeComesBeforeIdleness) {
  Times times = Idle(1000, 100);
  times.expires_ms = kNow;
  EXPECT_EQ(WhatIsDue(times, kNow), Due::kLifetime);
  times.in_use = true;
  EXPECT_EQ(WhatIsDue(times, kNow), Due::kLifetime);
}

TEST(Deadlines, WhatIsPausedOrStoppedIsNotIdleButItsLifeEnds) {
  for (const SandboxState state :
       {SandboxState::kPaused, SandboxState::kStopped, SandboxState::kFailed}) {
    Times times = Idle(1000, 100);
    times.state = state;
    EXPECT_EQ(WhatIsDue(times, kNow), Due::kNothing);
    times.expires_ms = kNow;
    EXPECT_EQ(WhatIsDue(times, kNow), Due::kLifetime);
  }
}

TEST(Deadlines, TheEndOfALifeIsDueUntilWhatWasChosenIsDone) {
  struct Case {
    OnTimeout action;
    SandboxState state;
    Due due;
  };
  constexpr Case kCases[] = {
      {OnTimeout::kStop, SandboxState::kRunning, Due::kLifetime},
      {OnTimeout::kStop, SandboxState::kPaused, Due::kLifetime},
      {OnTimeout::kStop, SandboxState::kStopped, Due::kNothing},
      {OnTimeout::kStop, SandboxState::kFailed, Due::kNothing},
      {OnTimeout::kPause, SandboxState::kRunning, Due::kLifetime},
      {OnTimeout::kPause, SandboxState::kPaused, Due::kNothing},
      {OnTimeout::kPause, SandboxState::kStopped, Due::kNothing},
      {OnTimeout::kDestroy, SandboxState::kPaused, Due::kLifetime},
      {OnTimeout::kDestroy, SandboxState::kFailed, Due::kLifetime},
  };
  for (const Case& one : kCases) {
    Times times = Idle(0, 0);
    times.state = one.state;
    times.on_timeout = one.action;
    times.expires_ms = kNow;
    EXPECT_EQ(WhatIsDue(times, kNow), one.due)
        << OnTimeoutName(one.action) << " " << SandboxStateName(one.state);
    EXPECT_EQ(NextLook(times, kNow).has_value(), one.due == Due::kLifetime);
  }
}

TEST(Deadlines, NothingIsDueOfWhatIsDestroyedOrNotYetThere) {
  for (const SandboxState state : {SandboxState::kCreating, SandboxState::kDestroyed}) {
    Times times = Idle(1000, 100);
    times.state = state;
    times.expires_ms = kNow;
    EXPECT_EQ(WhatIsDue(times, kNow), Due::kNothing);
  }
}

TEST(Deadlines, AfterARestartItsUsersGetTimeToComeBack) {
  Times times = Idle(1000, 100);
  times.idle_not_before_ms = kNow + 50;
  EXPECT_EQ(WhatIsDue(times, kNow), Due::kNothing);
  EXPECT_EQ(WhatIsDue(times, kNow + 50), Due::kIdle);
}

TEST(Deadlines, TheNextLookIsTheEarlierOfBoth) {
  Times times = Idle(0, 100);
  times.expires_ms = kNow + 70;
  EXPECT_EQ(NextLook(times, kNow), kNow + 70);
  times.expires_ms = kNow + 170;
  EXPECT_EQ(NextLook(times, kNow), kNow + 100);
}

// What a timer said, in order.
class Fired {
 public:
  void Add(const SandboxId& id) {
    const std::lock_guard lock(mutex_);
    ids_.push_back(id.text().substr(0, 1));
    changed_.notify_all();
  }
  std::string Await(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return ids_.size() >= count; });
    std::string all;
    for (const std::string& id : ids_) all += id;
    return all;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> ids_;
};

SandboxId Id(char letter) { return *SandboxId::Parse(std::string(20, letter)); }

TEST(Timer, FiresInTheOrderOfTheTimes) {
  Fired fired;
  Timer timer(Millis(1000), [&](const SandboxId& id) { fired.Add(id); }, [] {});
  const int64_t now = UnixMs();
  timer.Earlier(Id('c'), now + 60);
  timer.Earlier(Id('a'), now + 20);
  timer.Earlier(Id('b'), now + 40);
  EXPECT_EQ(fired.Await(3), "abc");
}

TEST(Timer, AnEarlierTimeReplacesALaterOneAndNotTheOtherWayRound) {
  Fired fired;
  Timer timer(Millis(1000), [&](const SandboxId& id) { fired.Add(id); }, [] {});
  const int64_t now = UnixMs();
  timer.Earlier(Id('a'), now + 1'000'000);
  timer.Earlier(Id('a'), now + 10);
  timer.Earlier(Id('b'), now + 20);
  timer.Earlier(Id('b'), now + 1'000'000);
  EXPECT_EQ(fired.Await(2), "ab");
}

TEST(Timer, WhatIsForgottenDoesNotFire) {
  Fired fired;
  Timer timer(Millis(1000), [&](const SandboxId& id) { fired.Add(id); }, [] {});
  const int64_t now = UnixMs();
  timer.Earlier(Id('a'), now + 200);
  timer.Earlier(Id('b'), now + 250);
  timer.Forget(Id('a'));
  EXPECT_EQ(fired.Await(1), "b");
}

TEST(Timer, ACallMaySetItsOwnNextTime) {
  Fired fired;
  Timer* self = nullptr;
  Timer timer(
      Millis(1000),
      [&](const SandboxId& id) {
        fired.Add(id);
        self->Earlier(id, UnixMs() + 5);
      },
      [] {});
  self = &timer;
  timer.Earlier(Id('a'), UnixMs());
  EXPECT_EQ(fired.Await(3).substr(0, 3), "aaa");
  timer.Stop();
}

}  // namespace
}  // namespace cay::sandbox
