// What every engine must do when a guest, or the engine's own object, ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "engine_fixture.h"

namespace cay::engine {
namespace {

TEST_P(EngineConformance, AGuestThatIsKilledIsSeenAndSaysHow) {
  const SandboxId id = Create();
  KillGuest(id);
  const auto exit = engine_->GetExit(id);
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->reason, ExitReason::kSignalled);
  EXPECT_EQ(exit->signal, SIGKILL);
  EXPECT_FALSE(engine_->Connect(id));
  EXPECT_THAT(engine_->Watch(id), FailsWith(ErrorCode::kIllegalState));
  EXPECT_TRUE(engine_->GetStats(id));
  EXPECT_TRUE(engine_->Destroy(id));
}

TEST_P(EngineConformance, WhatWasKilledIsStartedAgainOverItsFiles) {
  if (!can().stop) return;
  const SandboxId id = Create();
  ASSERT_TRUE(Write(id, "/workspace/kept", "text"));
  KillGuest(id);
  const auto started = engine_->Start(id);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_EQ(Read(id, "/workspace/kept").value_or(""), "text");
  KillGuest(id);
  ASSERT_TRUE(engine_->Stop(id)) << "what has failed can be stopped";
  EXPECT_EQ(StatusOf(id)->state, State::kStopped);
}

TEST_P(EngineConformance, WhatIsKilledWhileItIsVisitedStaysStopped) {
  if (!can().visit || !can().stop) return;
  const SandboxId id = Create();
  ASSERT_TRUE(engine_->Stop(id));
  ASSERT_TRUE(engine_->Visit(id));
  KillGuest(id);
  EXPECT_EQ(StatusOf(id)->state, State::kStopped);
  EXPECT_TRUE(engine_->Visit(id)) << "another guest";
  EXPECT_TRUE(Answers(id));
  EXPECT_TRUE(engine_->EndVisit(id));
}

TEST_P(EngineConformance, TheListHasWhatWasAskedFor) {
  CreateRequest request = Request();
  request.label = "server of the suite";
  request.limits.pids = 77;
  ASSERT_TRUE(engine_->Create(request));
  const auto status = StatusOf(request.id);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->state, State::kRunning);
  EXPECT_EQ(status->lifetime, Lifetime::kPersistent);
  EXPECT_EQ(status->label, request.label);
  EXPECT_EQ(status->limits.pids, 77U);
  EXPECT_GT(status->created_unix_ms, 0);
  EXPECT_FALSE(status->promised);
  EXPECT_FALSE(status->orphaned_unix_ms);
  EXPECT_EQ(status->damage, "");
  std::vector<LayerReference> layers;
  for (const Overlay& overlay : HostLayersOf(request.root).overlays)
    for (const std::string& layer : overlay.layers)
      layers.push_back({LayerReference::Kind::kHostDirectory, layer});
  EXPECT_THAT(status->layers, ::testing::UnorderedElementsAreArray(layers));
}

TEST_P(EngineConformance, APromiseIsKeptAndReplaced) {
  const SandboxId id = Create();
  EXPECT_THAT(engine_->ReadPromise(id), FailsWith(ErrorCode::kNotFound));
  ASSERT_TRUE(engine_->Promise(id, "one"));
  EXPECT_TRUE(StatusOf(id)->promised);
  ASSERT_TRUE(engine_->Promise(id, "another, longer one"));
  EXPECT_EQ(engine_->ReadPromise(id).value_or(""), "another, longer one");
  Restart();
  EXPECT_EQ(engine_->ReadPromise(id).value_or(""), "another, longer one");
  EXPECT_TRUE(StatusOf(id)->promised);
}

TEST_P(EngineConformance, WhatPersistsRunsOnForTheNextObjectAndWhatIsEphemeralEnds) {
  const SandboxId ephemeral = Create(Lifetime::kEphemeral);
  const SandboxId id = Create();
  ASSERT_TRUE(engine_->Promise(id, "somebody's"));
  ASSERT_TRUE(Write(id, "/workspace/kept", "text"));
  const uint64_t process = Begin(id, {"sleep", "1000"});
  const auto guest = engine_->Watch(id);
  const auto other = engine_->Watch(ephemeral);
  Restart();
  EXPECT_TRUE(BecomesReadable(*other));
  EXPECT_THAT(engine_->Connect(ephemeral), FailsWith(ErrorCode::kNotFound));
  EXPECT_FALSE(IsReadable(*guest));
  ASSERT_TRUE(StatusOf(id));
  EXPECT_EQ(StatusOf(id)->state, State::kRunning);
  EXPECT_TRUE(Runs(id, process));
  EXPECT_EQ(Read(id, "/workspace/kept").value_or(""), "text");
  const auto watched = engine_->Watch(id);
  ASSERT_TRUE(watched);
  ASSERT_TRUE(engine_->Destroy(id));
  EXPECT_TRUE(BecomesReadable(*watched));
  EXPECT_TRUE(BecomesReadable(*guest));
}

TEST_P(EngineConformance, WhatIsPausedOrStoppedIsSoForTheNextObject) {
  if (!can().stop) return;
  const SandboxId stopped = Create();
  ASSERT_TRUE(engine_->Stop(stopped));
  const SandboxId paused = Create();
  const bool pauses = can().pause && engine_->Pause(paused);
  Restart();
  EXPECT_EQ(StatusOf(stopped)->state, State::kStopped);
  EXPECT_THAT(engine_->Connect(stopped), FailsWith(ErrorCode::kIllegalState));
  if (!pauses) return;
  EXPECT_EQ(StatusOf(paused)->state, State::kPaused);
  ASSERT_TRUE(engine_->Resume(paused));
  EXPECT_TRUE(Answers(paused));
}

TEST_P(EngineConformance, AVisitEndsWithTheObject) {
  if (!can().visit || !can().stop) return;
  const SandboxId id = Create();
  ASSERT_TRUE(engine_->Stop(id));
  const auto visit = engine_->Visit(id);
  ASSERT_TRUE(visit);
  Restart();
  EXPECT_EQ(StatusOf(id)->state, State::kStopped);
  EXPECT_TRUE(BecomesReadable(*visit->guest));
  EXPECT_FALSE(engine_->Connect(id));
}

TEST_P(EngineConformance, WhatIsDisownedIsNobodysUntilItIsAdopted) {
  const SandboxId id = Create();
  ASSERT_TRUE(engine_->Promise(id, "somebody's"));
  const uint64_t process = Begin(id, {"sleep", "1000"});
  ASSERT_TRUE(engine_->Disown(id));
  EXPECT_THAT(engine_->Watch(id), FailsWith(ErrorCode::kNotFound));
  Restart();
  EXPECT_THAT(engine_->Watch(id), FailsWith(ErrorCode::kNotFound));
  const auto status = StatusOf(id);
  ASSERT_TRUE(status);
  EXPECT_TRUE(status->orphaned_unix_ms);
  EXPECT_TRUE(status->promised);
  EXPECT_EQ(engine_->ReadPromise(id).value_or(""), "somebody's");
  ASSERT_TRUE(engine_->Adopt(id));
  EXPECT_TRUE(Runs(id, process));
  EXPECT_FALSE(StatusOf(id)->orphaned_unix_ms);
}

TEST_P(EngineConformance, GarbageIsWhatNobodyHasAndAnOldOrphan) {
  const SandboxId id = Create();
  const SandboxId orphan = Create();
  ASSERT_TRUE(engine_->Promise(orphan, "somebody's"));
  ASSERT_TRUE(engine_->Disown(orphan));
  const auto kept = engine_->CollectGarbage({});
  ASSERT_TRUE(kept) << kept.error().ToString();
  EXPECT_TRUE(kept->orphans.empty());
  EXPECT_TRUE(StatusOf(orphan));
  const auto tried = engine_->CollectGarbage({.dry_run = true, .orphans_older = Millis(0)});
  ASSERT_TRUE(tried);
  EXPECT_THAT(tried->orphans, ::testing::ElementsAre(orphan.text()));
  EXPECT_TRUE(StatusOf(orphan));
  const auto removed = engine_->CollectGarbage({.dry_run = false, .orphans_older = Millis(0)});
  ASSERT_TRUE(removed);
  EXPECT_THAT(removed->orphans, ::testing::ElementsAre(orphan.text()));
  EXPECT_FALSE(StatusOf(orphan));
  EXPECT_TRUE(Answers(id));
}

}  // namespace
}  // namespace cay::engine
