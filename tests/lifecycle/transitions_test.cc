// Changes of state that fail, at each step: the sandbox is as it was, or is seen to have failed;
// and what is counted fits.
#include "sandbox/lifecycle/transitions.h"

#include "lifecycle_fixture.h"
#include "sandbox/records/tombstones.h"

namespace cay::sandbox {
namespace {

using engine::Exit;
using engine::ExitReason;
using engine::fake::When;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TransitionsTest : public LifecycleTest {
 protected:
  TransitionsTest() : sandbox_(Create({.name = "web"})), id_(sandbox_.id()), running_(Take()) {}

  void KillGuest() {
    engine_->EndGuest(id_, {.reason = ExitReason::kOomKilled});
    ASSERT_TRUE(sandbox_.GuestIsGone());
  }
  // The counts of one that has no guest.
  void ExpectWithoutMemory() {
    const Standings now = Take();
    EXPECT_EQ(now.memory, 0U);
    EXPECT_EQ(now.disk, running_.disk);
    EXPECT_EQ(now.admitted, 1U);
  }

  Sandbox& sandbox_;
  const SandboxId id_;
  const Standings running_;
};

TEST_F(TransitionsTest, AStopThatFailsLeavesItRunningAndWatched) {
  engine_->Fail(Call::kStop, Broken());
  EXPECT_THAT(transitions().Stop(sandbox_, "requested"), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(Take(), running_);
  EXPECT_THAT(gone_, IsEmpty());
  ASSERT_FALSE(sandbox_.GuestIsGone());
  KillGuest();
  EXPECT_TRUE(heart_->sweeper.OnGone(id_));
  EXPECT_EQ(sandbox_.View().reason, "oom_killed");
}

TEST_F(TransitionsTest, AStopThatFailsOfOneWhoseGuestIsGoneSaysWhyItWent) {
  KillGuest();
  engine_->Fail(Call::kStop, Broken());
  EXPECT_THAT(transitions().Stop(sandbox_, "requested"), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(sandbox_.state(), SandboxState::kFailed);
  EXPECT_EQ(sandbox_.View().reason, "oom_killed");
  ExpectWithoutMemory();
  EXPECT_THAT(gone_, SizeIs(1));
  EXPECT_EQ(Failed(), 1U);
}

TEST_F(TransitionsTest, AStopIsSoWhetherItCanBeWrittenDownOrNot) {
  FailRows();
  EXPECT_TRUE(transitions().Stop(sandbox_, "requested"));
  AllowRows();
  EXPECT_EQ(sandbox_.state(), SandboxState::kStopped);
  ExpectWithoutMemory();
  EXPECT_EQ(Take().rows.at(id_.text()), "running web");
  ASSERT_TRUE(Restart());
  EXPECT_EQ(Get(id_).state(), SandboxState::kStopped) << "the engine is believed";
}

TEST_F(TransitionsTest, AStartThatFailsLeavesItStopped) {
  ASSERT_TRUE(transitions().Stop(sandbox_, "requested"));
  const Standings stopped = Take();
  engine_->Fail(Call::kStart, Broken());
  EXPECT_THAT(transitions().Start(sandbox_), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(Take(), stopped);
  EXPECT_TRUE(transitions().Start(sandbox_));
  EXPECT_EQ(Take(), running_);
}

TEST_F(TransitionsTest, AStartThatCannotBeWrittenDownIsUndone) {
  ASSERT_TRUE(transitions().Stop(sandbox_, "requested"));
  const Standings stopped = Take();
  FailRows();
  EXPECT_FALSE(transitions().Start(sandbox_));
  AllowRows();
  EXPECT_EQ(Take(), stopped);
}

TEST_F(TransitionsTest, AStartForWhichThereIsNoMemoryDoesNotAskTheEngine) {
  ASSERT_TRUE(transitions().Stop(sandbox_, "requested"));
  const Standings stopped = Take();
  options_.max_memory = options_.default_limits.memory / 2;
  core().SetOptions(options_);
  EXPECT_THAT(transitions().Start(sandbox_), FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Take(), stopped);
  EXPECT_EQ(engine_->calls(Call::kStart), 0U);
}

TEST_F(TransitionsTest, AStartOfWhatTheEngineHasLostSaysSo) {
  ASSERT_TRUE(transitions().Stop(sandbox_, "requested"));
  engine_->Forget(id_);
  const Standings stopped = Take();
  const auto started = transitions().Start(sandbox_);
  ASSERT_THAT(started, FailsWith(ErrorCode::kIllegalState));
  EXPECT_THAT(started.error().message(), HasSubstr("nothing of it is left"));
  EXPECT_EQ(Take(), stopped);
}

TEST_F(TransitionsTest, AStartOfWhatHasFailedAndNeverEndedFindsItsGuest) {
  engine_->Fail(Call::kDestroy, Broken());
  EXPECT_FALSE(transitions().Destroy(sandbox_, "requested"));
  ASSERT_EQ(sandbox_.state(), SandboxState::kFailed);
  const auto started = transitions().Start(sandbox_);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_FALSE(sandbox_.GuestIsGone());
  EXPECT_EQ(Take(), running_);
}

TEST_F(TransitionsTest, AStartOfOneThatHasJustEndedIsOne) {
  KillGuest();
  const auto started = transitions().Start(sandbox_);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_EQ(Take(), running_);
  EXPECT_THAT(gone_, SizeIs(1));
}

TEST_F(TransitionsTest, APauseThatFailsLeavesItRunning) {
  engine_->Fail(Call::kPause, Broken());
  EXPECT_FALSE(transitions().Pause(sandbox_, "requested"));
  EXPECT_EQ(Take(), running_);
  FailRows();
  EXPECT_FALSE(transitions().Pause(sandbox_, "requested"));
  AllowRows();
  EXPECT_EQ(Take(), running_) << "what was paused and not written down was resumed";
  EXPECT_EQ(engine_->calls(Call::kResume), 1U);
}

TEST_F(TransitionsTest, AResumeThatFailsLeavesItPaused) {
  ASSERT_TRUE(transitions().Pause(sandbox_, "requested"));
  const Standings paused = Take();
  EXPECT_EQ(paused.memory, running_.memory);
  engine_->Fail(Call::kResume, Broken());
  EXPECT_FALSE(transitions().Resume(sandbox_));
  EXPECT_EQ(Take(), paused);
  FailRows();
  EXPECT_FALSE(transitions().Resume(sandbox_));
  AllowRows();
  EXPECT_EQ(Take(), paused);
  EXPECT_TRUE(transitions().Resume(sandbox_));
  EXPECT_EQ(Take(), running_);
}

TEST_F(TransitionsTest, AResetThatFailsBeforeAnythingHappenedLeavesItRunning) {
  engine_->Fail(Call::kReset, Error(ErrorCode::kResourceExhausted, Fault::kMachine, "no room"));
  EXPECT_THAT(transitions().Reset(sandbox_), FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Take(), running_);
  EXPECT_THAT(gone_, IsEmpty());
  EXPECT_FALSE(sandbox_.GuestIsGone());
}

TEST_F(TransitionsTest, AResetThatFailsAfterTheGuestEndedHasFailed) {
  KillGuest();
  engine_->Fail(Call::kReset, Broken(), 2);
  EXPECT_FALSE(transitions().Reset(sandbox_));
  EXPECT_EQ(sandbox_.state(), SandboxState::kFailed);
  EXPECT_THAT(sandbox_.View().reason, HasSubstr("cannot be reset"));
  ExpectWithoutMemory();
}

TEST_F(TransitionsTest, ALimitThatTheEngineRefusesIsNotPromised) {
  const SandboxChange change{.memory = 128 * kMiB, .name = "other"};
  engine_->Fail(Call::kUpdate, Broken());
  EXPECT_FALSE(transitions().Update(sandbox_, change));
  EXPECT_EQ(Take(), running_);
  EXPECT_EQ(sandbox_.View().limits.memory, 64 * kMiB);
}

TEST_F(TransitionsTest, ALimitThatCannotBeWrittenDownIsTakenBack) {
  FailRows();
  EXPECT_FALSE(transitions().Update(sandbox_, {.memory = 128 * kMiB, .name = "other"}));
  AllowRows();
  EXPECT_EQ(Take(), running_);
  EXPECT_EQ(engine_->calls(Call::kUpdate), 2U);
  const auto list = engine_->List();
  ASSERT_TRUE(list);
  EXPECT_EQ(list->at(0).limits.memory, 64 * kMiB);
}

TEST_F(TransitionsTest, MoreMemoryThanThereIsIsNotAskedOfTheEngine) {
  options_.max_memory = 100 * kMiB;
  core().SetOptions(options_);
  EXPECT_THAT(transitions().Update(sandbox_, {.memory = 128 * kMiB}),
              FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Take(), running_);
  EXPECT_EQ(engine_->calls(Call::kUpdate), 0U);
}

TEST_F(TransitionsTest, ADestroyThatFailsIsSeenAndCanBeAskedForAgain) {
  engine_->Fail(Call::kDestroy, Broken());
  EXPECT_THAT(transitions().Destroy(sandbox_, "requested"), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(sandbox_.state(), SandboxState::kFailed);
  EXPECT_FALSE(sandbox_.ending());
  ExpectWithoutMemory();
  ASSERT_TRUE(transitions().Destroy(sandbox_, "requested"));
  const Standings after = Take();
  EXPECT_EQ(after, Standings{});
}

TEST_F(TransitionsTest, ADestroyOfWhatTheEngineHasLostIsDone) {
  engine_->Forget(id_);
  EXPECT_TRUE(transitions().Destroy(sandbox_, "requested"));
  EXPECT_EQ(Take(), Standings{});
}

TEST_F(TransitionsTest, ADestroyThatCannotBeWrittenDownIsDoneAndRemembered) {
  FailRows();
  EXPECT_TRUE(transitions().Destroy(sandbox_, "requested"));
  const auto tombstones = ReadTombstones(directory_);
  EXPECT_TRUE(tombstones.contains(id_));
  const Standings after = Take();
  EXPECT_EQ(after.admitted, 0U);
  EXPECT_THAT(after.engine, IsEmpty());
  EXPECT_THAT(after.rows, SizeIs(1));
  AllowRows();
  ASSERT_TRUE(Restart());
  EXPECT_EQ(Take(), Standings{});
}

TEST_F(TransitionsTest, ADestroyOfOneThatIsVisitedGivesTheVisitsMemoryBack) {
  ASSERT_TRUE(transitions().Stop(sandbox_, "requested"));
  ASSERT_TRUE(heart_->visits.Enter(sandbox_).value_or(false));
  EXPECT_EQ(Take().memory, running_.memory);
  ASSERT_TRUE(transitions().Destroy(sandbox_, "requested"));
  EXPECT_EQ(Take(), Standings{});
}

TEST_F(TransitionsTest, AVisitThatFailsCostsNoMemory) {
  ASSERT_TRUE(transitions().Stop(sandbox_, "requested"));
  const Standings stopped = Take();
  engine_->Fail(Call::kVisit, Broken());
  EXPECT_FALSE(heart_->visits.Enter(sandbox_));
  EXPECT_EQ(Take(), stopped);
  // One whose end fails keeps its guest, and its memory, for the next who comes.
  ASSERT_TRUE(heart_->visits.Enter(sandbox_));
  engine_->Fail(Call::kEndVisit, Broken());
  heart_->visits.Leave(sandbox_);
  EXPECT_EQ(Take().memory, running_.memory);
  ASSERT_TRUE(heart_->visits.Enter(sandbox_));
  heart_->visits.Leave(sandbox_);
  EXPECT_EQ(Take(), stopped);
}

TEST_F(TransitionsTest, WhatAnEngineCannotIsNotSupportedInEveryState) {
  engine_options_.can = {.stop = true, .host_layers = true};
  ASSERT_TRUE(Restart());
  Sandbox& sandbox = Get(id_);
  const Standings before = Take();
  EXPECT_THAT(transitions().Pause(sandbox, "requested"), FailsWith(ErrorCode::kNotSupported));
  EXPECT_THAT(transitions().Reset(sandbox), FailsWith(ErrorCode::kNotSupported));
  EXPECT_THAT(transitions().Update(sandbox, {.memory = 128 * kMiB}),
              FailsWith(ErrorCode::kNotSupported));
  EXPECT_THAT(transitions().Update(sandbox, {.on_timeout = OnTimeout::kPause}),
              FailsWith(ErrorCode::kNotSupported));
  EXPECT_EQ(Take(), before);
  EXPECT_TRUE(transitions().Update(sandbox, {.name = "web"})) << "nothing of the engine";
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  EXPECT_THAT(heart_->visits.Enter(sandbox), FailsWith(ErrorCode::kNotSupported));
}

}  // namespace
}  // namespace cay::sandbox
