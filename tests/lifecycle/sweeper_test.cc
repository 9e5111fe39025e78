// Deadlines that come and guests that end, by a clock that the test moves.
#include "sandbox/lifecycle/sweeper.h"

#include <signal.h>

#include "lifecycle_fixture.h"

namespace cay::sandbox {
namespace {

using engine::Exit;
using engine::ExitReason;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Millis kMinute{60'000};

class SweeperTest : public LifecycleTest {
 protected:
  Sweeper& sweeper() { return heart_->sweeper; }
};

TEST_F(SweeperTest, NothingIsDoneBeforeItsTime) {
  const SandboxId id = Create({.timeout = kMinute, .idle_timeout = Millis(0)}).id();
  const Standings before = Take();
  clock_.Advance(kMinute - Millis(1));
  sweeper().OnTime(id);
  EXPECT_EQ(Take(), before);
  clock_.Advance(Millis(1));
  sweeper().OnTime(id);
  EXPECT_EQ(Take(), Standings{});
}

TEST_F(SweeperTest, EachEndIsTheOneThatWasAskedFor) {
  const auto make = [&](OnTimeout end) -> Sandbox& {
    return Create({.timeout = kMinute, .idle_timeout = Millis(0), .on_timeout = end});
  };
  const SandboxId destroyed = make(OnTimeout::kDestroy).id();
  Sandbox& stopped = make(OnTimeout::kStop);
  Sandbox& paused = make(OnTimeout::kPause);
  clock_.Advance(kMinute);
  for (const SandboxId& id : {destroyed, stopped.id(), paused.id()}) sweeper().OnTime(id);
  EXPECT_EQ(core().registry.Find(destroyed.text()), nullptr);
  EXPECT_EQ(stopped.state(), SandboxState::kStopped);
  EXPECT_EQ(stopped.View().reason, "lifetime");
  EXPECT_EQ(paused.state(), SandboxState::kPaused);
  const Standings now = Take();
  EXPECT_EQ(now.admitted, 2U);
  EXPECT_EQ(now.memory, options_.default_limits.memory);
}

TEST_F(SweeperTest, UsePutsTheEndOfIdlenessOff) {
  Sandbox& sandbox = Create({.timeout = Millis(0), .idle_timeout = kMinute});
  clock_.Advance(kMinute - Millis(1));
  sandbox.Touch();
  clock_.Advance(kMinute - Millis(1));
  sweeper().OnTime(sandbox.id());
  EXPECT_EQ(sandbox.state(), SandboxState::kRunning);
  ASSERT_TRUE(sandbox.Enter(Act::kUse));
  clock_.Advance(2 * kMinute);
  sweeper().OnTime(sandbox.id());
  EXPECT_EQ(sandbox.state(), SandboxState::kRunning) << "somebody uses it";
  sandbox.Leave();
  clock_.Advance(kMinute);
  const SandboxId id = sandbox.id();
  sweeper().OnTime(id);
  EXPECT_EQ(core().registry.Find(id.text()), nullptr);
}

TEST_F(SweeperTest, AnEndThatFailsIsTriedAgain) {
  Sandbox& sandbox = Create({.timeout = kMinute, .on_timeout = OnTimeout::kStop});
  const SandboxId id = sandbox.id();
  const Standings before = Take();
  engine_->Fail(Call::kStop, Broken());
  clock_.Advance(kMinute);
  sweeper().OnTime(id);
  EXPECT_EQ(Take(), before);
  sweeper().OnTime(id);
  EXPECT_EQ(sandbox.state(), SandboxState::kStopped);
}

TEST_F(SweeperTest, APauseThatNoEngineCanIsAStop) {
  Sandbox& made = Create({.timeout = kMinute, .on_timeout = OnTimeout::kPause});
  const SandboxId id = made.id();
  engine_options_.can.pause = false;
  ASSERT_TRUE(Restart());
  clock_.Advance(kMinute);
  sweeper().OnTime(id);
  EXPECT_EQ(Get(id).state(), SandboxState::kStopped);
  EXPECT_EQ(engine_->calls(Call::kPause), 0U);
}

TEST_F(SweeperTest, WhatIsBusyIsNotWaitedFor) {
  Sandbox& sandbox = Create({.timeout = kMinute});
  const SandboxId id = sandbox.id();
  clock_.Advance(kMinute);
  {
    const std::lock_guard busy(sandbox.transition);
    sweeper().OnTime(id);
    EXPECT_FALSE(sweeper().OnGone(id));
  }
  EXPECT_EQ(sandbox.state(), SandboxState::kRunning);
  sweeper().OnTime(id);
  EXPECT_EQ(Take(), Standings{});
  EXPECT_TRUE(sweeper().OnGone(id)) << "nobody knows it any more";
}

TEST_F(SweeperTest, AGuestThatEndsIsAFailureThatSaysHow) {
  const struct {
    Exit exit;
    const char* reason;
  } kEnds[] = {{{.reason = ExitReason::kOomKilled}, "oom_killed"},
               {{.reason = ExitReason::kSignalled, .signal = SIGSEGV}, "signalled: SIGSEGV"},
               {{.reason = ExitReason::kExited, .exit_code = 3}, "exited: 3"},
               {{.reason = ExitReason::kUnknown}, "unknown"}};
  for (const auto& [exit, reason] : kEnds) {
    Sandbox& sandbox = Create();
    EXPECT_TRUE(sweeper().OnGone(sandbox.id())) << "it is there";
    EXPECT_EQ(sandbox.state(), SandboxState::kRunning);
    engine_->EndGuest(sandbox.id(), exit);
    EXPECT_TRUE(sweeper().OnGone(sandbox.id()));
    EXPECT_EQ(sandbox.state(), SandboxState::kFailed);
    EXPECT_EQ(sandbox.View().reason, reason);
    EXPECT_TRUE(sweeper().OnGone(sandbox.id())) << "once is enough";
    ASSERT_TRUE(transitions().Destroy(sandbox, "requested"));
  }
  EXPECT_EQ(Failed(), 4U);
  EXPECT_THAT(gone_, SizeIs(8));  // each end, and each destroy
  EXPECT_EQ(Take(), Standings{});
}

TEST_F(SweeperTest, AnEndThatTheEngineCannotExplainIsOneAllTheSame) {
  Sandbox& sandbox = Create();
  engine_->EndGuest(sandbox.id(), {.reason = ExitReason::kOomKilled});
  engine_->Fail(Call::kGetExit, Busy());
  EXPECT_TRUE(sweeper().OnGone(sandbox.id()));
  EXPECT_EQ(sandbox.View().reason, "its guest ended");
  EXPECT_EQ(Take().memory, 0U);
}

TEST_F(SweeperTest, AnEndIsSoWhetherItCanBeWrittenDownOrNot) {
  Sandbox& sandbox = Create();
  engine_->EndGuest(sandbox.id(), {.reason = ExitReason::kOomKilled});
  FailRows();
  EXPECT_TRUE(sweeper().OnGone(sandbox.id()));
  AllowRows();
  EXPECT_EQ(sandbox.state(), SandboxState::kFailed);
  EXPECT_EQ(Take().memory, 0U);
  ASSERT_TRUE(Restart());
  EXPECT_EQ(Take().memory, 0U);
}

}  // namespace
}  // namespace cay::sandbox
