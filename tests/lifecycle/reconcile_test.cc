// What a server makes of what the one before it left: in the engine, in its database, and where
// either fails.
#include "sandbox/lifecycle/reconcile.h"

#include <signal.h>

#include "lifecycle_fixture.h"
#include "sandbox/records/sandbox_table.h"

namespace cay::sandbox {
namespace {

using engine::ExitReason;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ReconcileTest : public LifecycleTest {
 protected:
  std::string ReasonOf(const SandboxId& id) { return Get(id).View().reason; }
  // With the server closed: the engine of the next one, which can be told to fail.
  FakeEngine& NextEngine() {
    Close();
    engine_ = std::make_unique<FakeEngine>(machine_, engine_options_);
    return *engine_;
  }
  // The server that could not start is gone.
  void ExpectItStartsWhenAskedAgain(const Standings& before) {
    heart_.reset();
    ASSERT_TRUE(Open());
    EXPECT_EQ(Take(), before);
  }
};

TEST_F(ReconcileTest, WhatRunsIsPausedOrStoppedIsTakenOverAsItIs) {
  Create({.name = "runs"});
  ASSERT_TRUE(transitions().Pause(Create({.name = "paused"}), "requested"));
  ASSERT_TRUE(transitions().Stop(Create({.name = "stopped"}), "requested"));
  const Standings before = Take();
  const auto report = Restart();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->adopted, 3U);
  EXPECT_THAT(report->lost, IsEmpty());
  EXPECT_EQ(Take(), before);
}

TEST_F(ReconcileTest, WhatTheEngineHasLostIsSaidOnceAndHoldsNoMemory) {
  const SandboxId id = Create({.name = "web"}).id();
  engine_->Forget(id);
  const auto report = Restart();
  ASSERT_TRUE(report);
  ASSERT_THAT(report->lost, SizeIs(1));
  EXPECT_EQ(report->lost[0].first, id.text());
  EXPECT_EQ(Get(id).state(), SandboxState::kFailed);
  EXPECT_THAT(ReasonOf(id), HasSubstr("lost: "));
  const Standings lost = Take();
  EXPECT_EQ(lost.memory, 0U);
  EXPECT_EQ(lost.admitted, 1U);
  const auto again = Restart();
  ASSERT_TRUE(again);
  EXPECT_THAT(again->lost, IsEmpty());
  EXPECT_EQ(Take(), lost);
}

TEST_F(ReconcileTest, AGuestThatEndedMeanwhileIsLostAndSaysHow) {
  const SandboxId id = Create().id();
  FakeEngine& next = NextEngine();
  next.EndGuest(id, {.reason = ExitReason::kSignalled, .signal = SIGKILL});
  const auto report = Open();
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_THAT(report->lost, SizeIs(1));
  EXPECT_THAT(ReasonOf(id), HasSubstr("SIGKILL"));
  EXPECT_EQ(Take().memory, 0U);
}

TEST_F(ReconcileTest, AnEngineThatCannotListLetsNoServerStart) {
  Create();
  const Standings before = Take();
  NextEngine().Fail(Call::kList, Busy());
  EXPECT_THAT(Open(), FailsWith(ErrorCode::kUnavailable));
  ExpectItStartsWhenAskedAgain(before);
}

TEST_F(ReconcileTest, AnEngineThatIsAwayIsNoReasonToTakeASandboxForLost) {
  Create();
  const Standings before = Take();
  NextEngine().Fail(Call::kWatch, Busy());
  EXPECT_THAT(Open(), FailsWith(ErrorCode::kUnavailable));
  EXPECT_EQ(Take().rows, before.rows);
  ExpectItStartsWhenAskedAgain(before);
}

TEST_F(ReconcileTest, AnExitThatCannotBeHadIsNoReasonEither) {
  const SandboxId id = Create().id();
  FakeEngine& next = NextEngine();
  next.EndGuest(id, {.reason = ExitReason::kOomKilled});
  next.Fail(Call::kGetExit, Busy());
  EXPECT_THAT(Open(), FailsWith(ErrorCode::kUnavailable));
  heart_.reset();
  ASSERT_TRUE(Open());
  EXPECT_THAT(ReasonOf(id), HasSubstr("oom_killed"));
}

TEST_F(ReconcileTest, WhatIsDamagedIsNamedAndKept) {
  const SandboxId id = Create().id();
  engine_->Damage(id, "its record is half a record");
  const auto report = Restart();
  ASSERT_TRUE(report);
  EXPECT_EQ(Get(id).state(), SandboxState::kFailed);
  EXPECT_THAT(ReasonOf(id), HasSubstr("half a record"));
  EXPECT_THAT(Take().engine, SizeIs(1));
}

TEST_F(ReconcileTest, WhatNobodyWasPromisedIsRemoved) {
  engine::CreateRequest request(*SandboxId::Generate(), engine::HostLayers{});
  request.lifetime = engine::Lifetime::kPersistent;
  request.label = std::string(kServerLabel) + "small";
  ASSERT_TRUE(engine_->Create(request));
  engine::CreateRequest others(*SandboxId::Generate(), engine::HostLayers{});
  others.lifetime = engine::Lifetime::kPersistent;
  others.label = "somebody else's";
  ASSERT_TRUE(engine_->Create(others));
  FakeEngine& next = NextEngine();
  next.Fail(Call::kDestroy, Broken());
  const auto failed = Open();
  ASSERT_TRUE(failed) << "what cannot be removed is no reason not to start";
  EXPECT_EQ(failed->removed, 0U);
  const auto report = Restart();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->removed, 1U);
  EXPECT_EQ(Take().engine, (std::map<std::string, std::string>{{others.id.text(), "running"}}));
}

TEST_F(ReconcileTest, WhatWasPromisedAndHasNoRowIsOrphanedAndRunsOn) {
  const SandboxId id = Create().id();
  EXPECT_TRUE(store_->Flush());  // the promise is beside the sandbox
  ASSERT_TRUE(store_->Write([&](store::Database& db) { return RemoveRow(db, id); }));
  FakeEngine& next = NextEngine();
  next.Fail(Call::kDisown, Broken());
  const auto failed = Open();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->orphaned, 1U) << "whether it can be marked or not";
  EXPECT_EQ(Take().engine.at(id.text()), "running");
  ASSERT_TRUE(Restart());
  const auto list = engine_->List();
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->at(0).orphaned_unix_ms);
  EXPECT_EQ(Take().admitted, 0U);
}

TEST_F(ReconcileTest, AnOrphanWhoseRowComesBackIsTakenBack) {
  const SandboxId id = Create({.name = "web"}).id();
  const Standings before = Take();
  ASSERT_TRUE(engine_->Disown(id));
  FakeEngine& away = NextEngine();
  away.Fail(Call::kAdopt, Busy());
  EXPECT_THAT(Open(), FailsWith(ErrorCode::kUnavailable));
  heart_.reset();
  engine_->Fail(Call::kAdopt, Error(ErrorCode::kIo, Fault::kMachine, "its lock is another's"));
  ASSERT_TRUE(Open());
  EXPECT_THAT(ReasonOf(id), HasSubstr("its lock is another's"));
  EXPECT_EQ(Take().memory, 0U);
  ASSERT_TRUE(Restart());
  EXPECT_EQ(Take(), before);
}

TEST_F(ReconcileTest, ADestroyThatWasPromisedIsDone) {
  const SandboxId id = Create().id();
  ASSERT_TRUE(
      store_->Write([&](store::Database& db) { return MarkDestroying(db, id, "requested"); }));
  FakeEngine& next = NextEngine();
  next.Fail(Call::kDestroy, Broken());
  ASSERT_TRUE(Open()) << "what cannot be destroyed is no reason not to start";
  EXPECT_EQ(Get(id).state(), SandboxState::kFailed);
  EXPECT_THAT(ReasonOf(id), HasSubstr("cannot be destroyed"));
  ASSERT_TRUE(transitions().Destroy(Get(id), "requested"));
  EXPECT_EQ(Take(), Standings{});
}

TEST_F(ReconcileTest, WhatIsFoundIsSoWhetherItCanBeWrittenDownOrNot) {
  const SandboxId id = Create().id();
  engine_->Forget(id);
  FailRows();
  const auto report = Restart();
  ASSERT_TRUE(report) << report.error().ToString();
  EXPECT_EQ(Get(id).state(), SandboxState::kFailed);
  AllowRows();
  EXPECT_EQ(Take().rows.at(id.text()), "running ");
  ASSERT_TRUE(Restart());
  EXPECT_EQ(Take().rows.at(id.text()), "failed ");
}

TEST_F(ReconcileTest, WhatWasIdleWhileNoServerWasThereIsNotEndedAtOnce) {
  const SandboxId id = Create({.idle_timeout = Millis(60'000)}).id();
  Close();
  clock_.Advance(Millis(3'600'000));
  ASSERT_TRUE(Open());
  heart_->sweeper.OnTime(id);
  EXPECT_EQ(Get(id).state(), SandboxState::kRunning);
  clock_.Advance(Millis(3'600'000));
  heart_->sweeper.OnTime(id);
  EXPECT_EQ(Take(), Standings{});
}

}  // namespace
}  // namespace cay::sandbox
