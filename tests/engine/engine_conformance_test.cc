// What every engine must do with sandboxes that run and end as they should: engine.h, line by line.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <thread>

#include "base/os/file.h"
#include "base/testing/test_eventually.h"
#include "engine_fixture.h"

namespace cay::engine {
namespace {

constexpr const char* kFile = "/workspace/kept";

std::string RelativeTo(std::string_view path) { return std::string(path.substr(1)); }

std::string ContentIn(const Fd& upper, std::string_view path) {
  return ReadFileAt(upper.get(), RelativeTo(path)).value_or("(cannot be read)");
}

int64_t OwnerIn(const Fd& upper, std::string_view path) {
  struct stat info{};
  return ::fstatat(upper.get(), RelativeTo(path).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0
             ? int64_t{info.st_uid}
             : -1;
}

std::string NameOf(const ::testing::TestParamInfo<EngineKind>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Engines, EngineConformance,
                         ::testing::Values(EngineKind{"Fake", &MakeFakeWorld},
                                           EngineKind{"PoorFake", &MakePoorFakeWorld},
                                           EngineKind{"Native", &MakeNativeWorld}),
                         NameOf);

TEST_P(EngineConformance, ItSaysWhatItIs) {
  const Description described = engine_->Describe();
  EXPECT_FALSE(described.name.empty());
  EXPECT_FALSE(described.version.empty());
  EXPECT_FALSE(described.runs_on.empty());
  EXPECT_LE(described.stages.size(), kMaxStages);
  EXPECT_EQ(std::set(described.stages.begin(), described.stages.end()).size(),
            described.stages.size());
  for (const std::string& stage : described.stages)
    EXPECT_THAT(stage, ::testing::MatchesRegex("[a-z0-9_]+"));
}

TEST_P(EngineConformance, WhatIsCreatedRunsAndWhatIsDestroyedIsGone) {
  const CreateRequest request = Request();
  const auto created = engine_->Create(request);
  ASSERT_TRUE(created) << created.error().ToString();
  std::vector<std::string> stages;
  for (const StageTime& time : created->stage_us) stages.push_back(time.name);
  EXPECT_EQ(stages, engine_->Describe().stages);
  EXPECT_NE(created->scratch, Scratch::kAuto);
  ASSERT_TRUE(created->guest);
  EXPECT_FALSE(IsReadable(*created->guest));
  EXPECT_TRUE(Answers(request.id));
  ASSERT_TRUE(engine_->Destroy(request.id));
  EXPECT_TRUE(BecomesReadable(*created->guest));
  EXPECT_THAT(engine_->Connect(request.id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->Destroy(request.id), FailsWith(ErrorCode::kNotFound));
  EXPECT_FALSE(StatusOf(request.id));
}

TEST_P(EngineConformance, CommandsRunAndEndAsTheyDo) {
  const SandboxId id = Create();
  const Ran said = Run(id, {"echo", "one", "two"});
  EXPECT_EQ(said.out, "one two\n");
  ASSERT_TRUE(said.exited);
  EXPECT_EQ(said.exited->exit_code, 0);
  const Ran good = Run(id, {"true"});
  ASSERT_TRUE(good.exited);
  EXPECT_EQ(good.exited->exit_code, 0);
  const Ran bad = Run(id, {"false"});
  ASSERT_TRUE(bad.exited);
  EXPECT_EQ(bad.exited->exit_code, 1);
}

TEST_P(EngineConformance, AnIdIsOneSandbox) {
  const CreateRequest request = Request();
  ASSERT_TRUE(engine_->Create(request));
  EXPECT_THAT(engine_->Create(request), FailsWith(ErrorCode::kAlreadyExists));
  EXPECT_TRUE(Answers(request.id));
}

TEST_P(EngineConformance, WhatIsNotThereIsNotFound) {
  const SandboxId id = Request().id;
  EXPECT_THAT(engine_->Destroy(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->GetStats(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->Connect(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->Watch(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->GetExit(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->ReadPromise(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->Disown(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(engine_->Adopt(id), FailsWith(ErrorCode::kNotFound));
  EXPECT_FALSE(engine_->Promise(id, "nobody's"));
  EXPECT_FALSE(engine_->Connect(id, Millis(0)));
  const auto unless = [](bool can) {
    return can ? ErrorCode::kNotFound : ErrorCode::kNotSupported;
  };
  EXPECT_THAT(engine_->Stop(id), FailsWith(unless(can().stop)));
  EXPECT_THAT(engine_->Start(id), FailsWith(unless(can().stop)));
  EXPECT_THAT(engine_->Reset(id), FailsWith(unless(can().reset)));
  EXPECT_THAT(engine_->Visit(id), FailsWith(unless(can().visit)));
  EXPECT_THAT(engine_->EndVisit(id), FailsWith(unless(can().visit)));
  EXPECT_THAT(engine_->Pause(id), FailsWith(unless(can().pause)));
  EXPECT_THAT(engine_->Resume(id), FailsWith(unless(can().pause)));
  EXPECT_THAT(engine_->Update(id, {}), FailsWith(unless(can().update_limits)));
  EXPECT_THAT(engine_->OpenNetwork(id), FailsWith(unless(can().network_policy)));
  EXPECT_THAT(engine_->OpenWritten(id), FailsWith(unless(can().snapshot)));
  EXPECT_THAT(engine_->HoldStill(id), FailsWith(unless(can().snapshot)));
  EXPECT_THAT(engine_->GoOn(id), FailsWith(unless(can().snapshot)));
}

TEST_P(EngineConformance, WhatIsNotClaimedIsNotSupportedAndChangesNothing) {
  const SandboxId id = Create();
  const auto expect_refused = [](bool claimed, const auto& act) {
    if (claimed) return;
    EXPECT_THAT(act(), FailsWith(ErrorCode::kNotSupported));
  };
  expect_refused(can().stop, [&] { return engine_->Stop(id); });
  expect_refused(can().pause, [&] { return engine_->Pause(id); });
  expect_refused(can().reset, [&] { return engine_->Reset(id); });
  expect_refused(can().visit, [&] { return engine_->Visit(id); });
  expect_refused(can().update_limits, [&] { return engine_->Update(id, Request().limits); });
  expect_refused(can().network_policy, [&] { return engine_->OpenNetwork(id); });
  expect_refused(can().snapshot, [&] { return engine_->OpenWritten(id); });
  CreateRequest mounted = Request();
  mounted.mounts = {{.source = "/usr", .target = "/mnt/usr"}};
  if (can().host_mounts) {
    EXPECT_TRUE(engine_->Create(mounted));
  } else {
    EXPECT_THAT(engine_->Create(mounted), FailsWith(ErrorCode::kNotSupported));
    EXPECT_FALSE(StatusOf(mounted.id));
  }
  CreateRequest privileged = Request();
  privileged.privileges = Privileges::kRoot;
  if (can().root) {
    EXPECT_TRUE(engine_->Create(privileged));
    EXPECT_TRUE(Answers(privileged.id));
  } else {
    EXPECT_THAT(engine_->Create(privileged), FailsWith(ErrorCode::kNotSupported));
    EXPECT_FALSE(StatusOf(privileged.id));
  }
  EXPECT_TRUE(Answers(id));
}

TEST_P(EngineConformance, ANetworkIsOpenOnceAtATime) {
  if (!can().network_policy) return;
  const SandboxId id = Create();
  const SandboxId other = Create();
  {
    const auto network = engine_->OpenNetwork(id);
    if (!network && network.error().code() == ErrorCode::kNotSupported)
      GTEST_SKIP() << network.error().ToString();
    ASSERT_TRUE(network) << network.error().ToString();
    EXPECT_TRUE(network->tcp_v4 && network->dns_udp_v4);
    EXPECT_THAT(engine_->OpenNetwork(id), FailsWith(ErrorCode::kIllegalState));
    EXPECT_TRUE(engine_->OpenNetwork(other));
    EXPECT_TRUE(Answers(id));
  }
  EXPECT_TRUE(engine_->OpenNetwork(id));
  if (can().stop) {
    ASSERT_TRUE(engine_->Stop(id));
    EXPECT_THAT(engine_->OpenNetwork(id), FailsWith(ErrorCode::kIllegalState));
    ASSERT_TRUE(engine_->Start(id));
    EXPECT_TRUE(engine_->OpenNetwork(id));
  }
  if (can().pause && engine_->Pause(id)) {
    EXPECT_THAT(engine_->OpenNetwork(id), FailsWith(ErrorCode::kIllegalState));
    ASSERT_TRUE(engine_->Resume(id));
  }
  Restart();
  EXPECT_TRUE(engine_->OpenNetwork(id)) << "of one that was taken over";
}

TEST_P(EngineConformance, ANetworkComesWithACreateThatAsksForIt) {
  if (!can().network_policy) return;
  CreateRequest request = Request();
  request.network = true;
  auto created = engine_->Create(request);
  if (!created && created.error().code() == ErrorCode::kNotSupported)
    GTEST_SKIP() << created.error().ToString();
  ASSERT_TRUE(created) << created.error().ToString();
  ASSERT_TRUE(created->network);
  EXPECT_TRUE(created->network->tcp_v4 && created->network->dns_udp_v4);
  EXPECT_TRUE(created->guest);
  EXPECT_TRUE(Answers(request.id));
  EXPECT_THAT(engine_->OpenNetwork(request.id), FailsWith(ErrorCode::kIllegalState));
  created->network.reset();
  // Whoever made it ahead may hold it for a moment yet.
  EXPECT_TRUE(Eventually([&] { return engine_->OpenNetwork(request.id).has_value(); }));
  auto without = engine_->Create(Request());
  ASSERT_TRUE(without);
  EXPECT_FALSE(without->network);
}

// Whoever has its sockets keeps nothing of a sandbox, and nothing of it keeps them.
TEST_P(EngineConformance, ANetworkThatIsHeldOutlivesNothing) {
  if (!can().network_policy) return;
  const SandboxId id = Create();
  const auto network = engine_->OpenNetwork(id);
  if (!network) GTEST_SKIP() << network.error().ToString();
  ASSERT_TRUE(engine_->Destroy(id));
  EXPECT_TRUE(world_->IsEmpty(*engine_));
}

TEST_P(EngineConformance, OtherRootsThanHostLayersAreTakenOrRefusedInWords) {
  for (const RootFilesystem& root : {RootFilesystem(ImageReference{"debian:12"}),
                                     RootFilesystem(DiskImage{"/var/lib/cay/none.img"})}) {
    CreateRequest request = Request();
    request.root = root;
    const bool claimed =
        std::holds_alternative<ImageReference>(root) ? can().image_references : can().disk_images;
    if (claimed) continue;
    EXPECT_THAT(engine_->Create(request), FailsWith(ErrorCode::kNotSupported));
    EXPECT_FALSE(StatusOf(request.id));
  }
}

TEST_P(EngineConformance, NothingRemainsOfACreateThatFails) {
  CreateRequest refused = Request();
  refused.hostname = "";
  EXPECT_THAT(engine_->Create(refused), FailsWith(ErrorCode::kInvalidArgument));
  // Seen late by an engine that looks when it mounts.
  CreateRequest broken = Request();
  broken.mounts = {{.source = "/nonexistent/of/cay", .target = "/mnt"}};
  EXPECT_FALSE(engine_->Create(broken));
  EXPECT_TRUE(world_->IsEmpty(*engine_));
  broken.mounts.clear();
  EXPECT_TRUE(engine_->Create(broken)) << "the id is free";
}

TEST_P(EngineConformance, WhatIsStoppedKeepsItsFilesAndNothingElse) {
  const SandboxId id = Create();
  if (!can().stop) return;
  ASSERT_TRUE(Write(id, kFile, "text"));
  Begin(id, {"sleep", "1000"});
  const auto guest = engine_->Watch(id);
  ASSERT_TRUE(guest);
  ASSERT_TRUE(engine_->Stop(id));
  EXPECT_TRUE(BecomesReadable(*guest));
  EXPECT_EQ(StatusOf(id)->state, State::kStopped);
  EXPECT_THAT(engine_->Connect(id), FailsWith(ErrorCode::kIllegalState));
  EXPECT_THAT(engine_->Watch(id), FailsWith(ErrorCode::kIllegalState));
  EXPECT_THAT(engine_->Stop(id), FailsWith(ErrorCode::kIllegalState));
  EXPECT_EQ(engine_->GetExit(id)->reason, ExitReason::kStopped);
  const auto started = engine_->Start(id);
  ASSERT_TRUE(started) << started.error().ToString();
  ASSERT_TRUE(started->guest);
  EXPECT_FALSE(IsReadable(*started->guest));
  EXPECT_EQ(Read(id, kFile).value_or(""), "text");
  EXPECT_EQ(GuestOf(id).Ping()->running, 0U);
  EXPECT_EQ(engine_->GetExit(id)->reason, ExitReason::kNone);
  EXPECT_THAT(engine_->Start(id), FailsWith(ErrorCode::kIllegalState));
}

TEST_P(EngineConformance, WhatIsResetLosesItsFiles) {
  const SandboxId id = Create();
  if (!can().reset) return;
  ASSERT_TRUE(Write(id, kFile, "text"));
  const auto guest = engine_->Watch(id);
  const auto reset = engine_->Reset(id);
  ASSERT_TRUE(reset) << reset.error().ToString();
  EXPECT_TRUE(BecomesReadable(*guest));
  ASSERT_TRUE(reset->guest);
  EXPECT_FALSE(IsReadable(*reset->guest));
  EXPECT_THAT(Read(id, kFile), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(StatusOf(id)->state, State::kRunning);
  if (!can().stop) return;
  ASSERT_TRUE(engine_->Stop(id));
  EXPECT_THAT(engine_->Reset(id), FailsWith(ErrorCode::kIllegalState));
}

TEST_P(EngineConformance, WhatIsStoppedIsVisitedForItsFiles) {
  if (!can().visit || !can().stop) return;
  const SandboxId id = Create();
  EXPECT_THAT(engine_->Visit(id), FailsWith(ErrorCode::kIllegalState));
  ASSERT_TRUE(Write(id, kFile, "text"));
  ASSERT_TRUE(engine_->Stop(id));
  const auto visit = engine_->Visit(id);
  ASSERT_TRUE(visit) << visit.error().ToString();
  EXPECT_EQ(StatusOf(id)->state, State::kStopped);
  EXPECT_EQ(Read(id, kFile).value_or(""), "text");
  ASSERT_TRUE(Write(id, kFile, "more"));
  EXPECT_TRUE(engine_->Visit(id)) << "the guest that is there";
  EXPECT_FALSE(IsReadable(*visit->guest));
  ASSERT_TRUE(engine_->EndVisit(id));
  EXPECT_TRUE(BecomesReadable(*visit->guest));
  EXPECT_FALSE(engine_->Connect(id));
  EXPECT_TRUE(engine_->EndVisit(id)) << "nothing to end";
  // A start makes the visitors' guest the sandbox's own.
  const auto again = engine_->Visit(id);
  ASSERT_TRUE(again);
  ASSERT_TRUE(engine_->Start(id));
  EXPECT_FALSE(IsReadable(*again->guest));
  EXPECT_EQ(Read(id, kFile).value_or(""), "more");
  EXPECT_THAT(engine_->EndVisit(id), FailsWith(ErrorCode::kIllegalState));
}

TEST_P(EngineConformance, WhatIsPausedGoesOnWhereItWas) {
  if (!can().pause) return;
  const SandboxId id = Create();
  const uint64_t process = Begin(id, {"sleep", "1000"});
  const auto paused = engine_->Pause(id);
  if (!paused && paused.error().fault() == Fault::kMachine)
    GTEST_SKIP() << paused.error().message();
  ASSERT_TRUE(paused) << paused.error().ToString();
  EXPECT_EQ(StatusOf(id)->state, State::kPaused);
  EXPECT_THAT(engine_->Connect(id), FailsWith(ErrorCode::kIllegalState));
  EXPECT_TRUE(engine_->Watch(id)) << "its guest is there";
  EXPECT_THAT(engine_->Pause(id), FailsWith(ErrorCode::kIllegalState));
  ASSERT_TRUE(engine_->Resume(id));
  EXPECT_TRUE(Runs(id, process));
  EXPECT_THAT(engine_->Resume(id), FailsWith(ErrorCode::kIllegalState));
  ASSERT_TRUE(engine_->Pause(id));
  EXPECT_TRUE(engine_->Destroy(id)) << "also of one that is paused";
}

TEST_P(EngineConformance, WhatIsHeldStillGoesOn) {
  if (!can().snapshot) return;
  const SandboxId id = Create();
  ASSERT_TRUE(engine_->GoOn(id)) << "nobody holds it";
  ASSERT_TRUE(engine_->HoldStill(id));
  EXPECT_EQ(StatusOf(id)->state, State::kRunning);
  std::thread later([&] {
    std::this_thread::sleep_for(Millis(100));
    EXPECT_TRUE(engine_->GoOn(id));
  });
  EXPECT_TRUE(Answers(id)) << "who asks meanwhile waits";
  later.join();
  ASSERT_TRUE(engine_->HoldStill(id));
  if (can().stop) {
    ASSERT_TRUE(engine_->Stop(id));
    ASSERT_TRUE(engine_->Start(id));
    EXPECT_TRUE(Answers(id));
    ASSERT_TRUE(engine_->HoldStill(id));
  }
  // With its engine ends who held it.
  Restart();
  EXPECT_TRUE(Answers(id));
  ASSERT_TRUE(engine_->HoldStill(id));
  EXPECT_TRUE(engine_->Destroy(id));
}

// Of a sandbox in any state, and of one that an earlier object has made.
TEST_P(EngineConformance, WhatWasWrittenIsSeen) {
  if (!can().snapshot) return;
  for (const Scratch scratch : {Scratch::kMemory, Scratch::kDisk}) {
    CreateRequest request = Request();
    request.scratch = scratch;
    ASSERT_TRUE(engine_->Create(request));
    const SandboxId& id = request.id;
    ASSERT_TRUE(Write(id, kFile, "text"));
    std::set<int64_t> owners;
    const auto expect_seen = [&](const char* when) {
      const auto written = engine_->OpenWritten(id);
      ASSERT_TRUE(written) << when << ": " << written.error().ToString();
      EXPECT_EQ(written->uppers.size(), HostLayersOf(request.root).overlays.size());
      EXPECT_EQ(ContentIn(written->uppers.front(), kFile), "text") << when;
      owners.insert(OwnerIn(written->uppers.front(), kFile) - written->id_offset);
    };
    expect_seen("running");
    if (can().pause) {
      ASSERT_TRUE(engine_->Pause(id));
      expect_seen("paused");
      ASSERT_TRUE(engine_->Resume(id));
    }
    if (scratch == Scratch::kDisk) {
      Restart();
      expect_seen("of another object");
    }
    if (!can().stop) continue;
    ASSERT_TRUE(engine_->Stop(id));
    expect_seen("stopped");
    ASSERT_TRUE(engine_->Start(id));
    EXPECT_EQ(Read(id, kFile).value_or(""), "text");
    expect_seen("started again");
    EXPECT_EQ(owners.size(), 1U) << "whoever it belongs to inside, it is the same";
  }
}

TEST_P(EngineConformance, LimitsOfWhatRunsAreChanged) {
  if (!can().update_limits) return;
  const SandboxId id = Create();
  Limits limits = StatusOf(id)->limits;
  limits.memory += 64 * kMiB;
  limits.pids += 10;
  const auto updated = engine_->Update(id, limits);
  if (!updated && updated.error().code() == ErrorCode::kNotEnforceable) GTEST_SKIP() << "no groups";
  ASSERT_TRUE(updated) << updated.error().ToString();
  EXPECT_EQ(StatusOf(id)->limits.memory, limits.memory);
  EXPECT_EQ(StatusOf(id)->limits.pids, limits.pids);
  Limits disk = limits;
  disk.disk += kMiB;
  EXPECT_THAT(engine_->Update(id, disk), FailsWith(ErrorCode::kNotSupported));
  EXPECT_EQ(StatusOf(id)->limits.disk, limits.disk);
}

TEST_P(EngineConformance, ManyAtOnceDoNotDisturbOneAnother) {
  constexpr int kThreads = 4;
  std::vector<std::thread> threads;
  std::vector<int> good(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 3; ++round) {
        const CreateRequest request = Request();
        if (!engine_->Create(request)) return;
        if (!Answers(request.id) || !engine_->GetStats(request.id)) return;
        if (!engine_->Destroy(request.id)) return;
        ++good[static_cast<size_t>(i)];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(good, ::testing::Each(3));
}

}  // namespace
}  // namespace cay::engine
