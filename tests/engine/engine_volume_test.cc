// What every engine must do with volumes, and what the native one must besides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "base/testing/test_eventually.h"
#include "engine/native/native_engine.h"
#include "engine_fixture.h"
#include "volume/volume_dir.h"

namespace cay::engine {
namespace {

constexpr const char* kFile = "/data/kept";

std::string NameOf(const ::testing::TestParamInfo<EngineKind>& info) { return info.param.name; }

class EngineVolumes : public EngineConformance {
 protected:
  void SetUp() override {
    EngineConformance::SetUp();
    if (IsSkipped()) return;
    volume_ = world_->MakeVolume("data");
    if (!can().volumes && GetParam().name != std::string_view("PoorFake"))
      GTEST_SKIP() << "no volumes here";
  }

  CreateRequest With(bool read_only) {
    CreateRequest request = Request();
    request.volumes = {{.directory = volume_, .target = "/data", .read_only = read_only}};
    request.scratch = Scratch::kAuto;  // to be started again by another engine
    return request;
  }
  // Of one that must be there.
  SandboxId CreateWith(bool read_only) {
    const CreateRequest request = With(read_only);
    const auto created = engine_->Create(request);
    EXPECT_TRUE(created) << created.error().ToString();
    return request.id;
  }
  // Whether another sandbox could have it, and is gone again.
  bool IsFree(bool read_only) {
    const CreateRequest request = With(read_only);
    return engine_->Create(request) && engine_->Destroy(request.id);
  }

  std::string volume_;
};

INSTANTIATE_TEST_SUITE_P(Engines, EngineVolumes,
                         ::testing::Values(EngineKind{"Fake", &MakeFakeWorld},
                                           EngineKind{"PoorFake", &MakePoorFakeWorld},
                                           EngineKind{"Native", &MakeNativeWorld}),
                         NameOf);

TEST_P(EngineVolumes, WhoCannotSaysSo) {
  if (can().volumes) return;
  const CreateRequest request = With(false);
  EXPECT_THAT(engine_->Create(request), FailsWith(ErrorCode::kNotSupported));
  EXPECT_FALSE(StatusOf(request.id));
}

TEST_P(EngineVolumes, WhoWritesHasItAloneUntilItIsDestroyed) {
  if (!can().volumes) return;
  const SandboxId writer = CreateWith(false);
  ASSERT_EQ(StatusOf(writer)->volumes.size(), 1U);
  EXPECT_EQ(StatusOf(writer)->volumes[0].directory, volume_);
  for (const bool read_only : {false, true}) {
    const CreateRequest other = With(read_only);
    const auto refused = engine_->Create(other);
    EXPECT_THAT(refused, FailsWith(ErrorCode::kIllegalState));
    EXPECT_THAT(refused.error().message(), ::testing::HasSubstr(writer.text()));
    EXPECT_FALSE(StatusOf(other.id)) << "nothing of it remains";
  }
  ASSERT_TRUE(engine_->Destroy(writer));
  EXPECT_TRUE(IsFree(false));
}

TEST_P(EngineVolumes, WhoOnlyReadsSharesIt) {
  if (!can().volumes) return;
  const SandboxId one = CreateWith(true);
  const SandboxId other = CreateWith(true);
  EXPECT_TRUE(Answers(one));
  EXPECT_TRUE(Answers(other));
  EXPECT_FALSE(IsFree(false));
  ASSERT_TRUE(engine_->Destroy(one));
  EXPECT_FALSE(IsFree(false));
  ASSERT_TRUE(engine_->Destroy(other));
  EXPECT_TRUE(IsFree(false));
}

TEST_P(EngineVolumes, IsTheSandboxsWhetherItRunsOrNot) {
  if (!can().volumes) return;
  const SandboxId writer = CreateWith(false);
  const auto is_kept = [&] { return !IsFree(false) && !IsFree(true); };
  if (can().pause && engine_->Pause(writer)) {
    EXPECT_TRUE(is_kept());
    ASSERT_TRUE(engine_->Resume(writer));
  }
  ASSERT_TRUE(engine_->Stop(writer));
  EXPECT_TRUE(is_kept());
  Restart();
  EXPECT_TRUE(is_kept()) << "by one that was taken over";
  ASSERT_TRUE(engine_->Start(writer));
  EXPECT_TRUE(is_kept());
  Restart();
  EXPECT_TRUE(is_kept());
  EXPECT_TRUE(Answers(writer));
  ASSERT_TRUE(engine_->Reset(writer));
  EXPECT_TRUE(is_kept());
  EXPECT_TRUE(Answers(writer));
  KillGuest(writer);
  EXPECT_TRUE(is_kept());
  ASSERT_TRUE(engine_->Start(writer));
  EXPECT_TRUE(is_kept());
}

TEST_P(EngineVolumes, OneThatIsNotThereIsNotFound) {
  if (!can().volumes) return;
  CreateRequest request = With(false);
  request.volumes[0].directory += "-none";
  EXPECT_THAT(engine_->Create(request), FailsWith(ErrorCode::kNotFound));
  EXPECT_FALSE(StatusOf(request.id));
}

class NativeVolumes : public EngineVolumes {
 protected:
  native::NativeEngine& native() { return static_cast<native::NativeEngine&>(*engine_); }
  std::string Shell(const SandboxId& id, const std::string& script) {
    return Run(id, {"sh", "-c", script + " 2>&1"}).out;
  }
};

INSTANTIATE_TEST_SUITE_P(Engines, NativeVolumes,
                         ::testing::Values(EngineKind{"Native", &MakeNativeWorld}), NameOf);

TEST_P(NativeVolumes, KeepsWhatWasWrittenForTheNextSandbox) {
  const SandboxId writer = CreateWith(false);
  ASSERT_TRUE(Write(writer, kFile, "words"));
  EXPECT_EQ(Shell(writer, "stat -c %u:%g /data /data/kept; ls -A /data"),
            "1000:1000\n1000:1000\nkept\n");
  ASSERT_TRUE(engine_->Destroy(writer));
  const SandboxId reader = CreateWith(true);
  EXPECT_EQ(Read(reader, kFile).value_or(""), "words");
  EXPECT_EQ(Shell(reader, "stat -c %u:%g /data/kept"), "1000:1000\n") << "whatever its range is";
  EXPECT_THAT(Shell(reader, "echo x > /data/new"), ::testing::HasSubstr("Read-only"));
}

TEST_P(NativeVolumes, KeepsWhatWasWrittenThroughStopAndReset) {
  const SandboxId writer = CreateWith(false);
  ASSERT_TRUE(Write(writer, kFile, "words"));
  ASSERT_TRUE(engine_->Stop(writer));
  ASSERT_TRUE(engine_->Start(writer));
  EXPECT_EQ(Read(writer, kFile).value_or(""), "words");
  const auto reset = engine_->Reset(writer);
  ASSERT_TRUE(reset) << reset.error().ToString();
  EXPECT_EQ(Read(writer, kFile).value_or(""), "words");
}

TEST_P(NativeVolumes, AFullOneIsFullInsideAndTheSandboxGoesOn) {
  const SandboxId writer = CreateWith(false);
  EXPECT_THAT(Shell(writer, "(head -c 64m /dev/zero > /data/large)"),
              ::testing::HasSubstr("No space left on device"));
  EXPECT_TRUE(Write(writer, "/workspace/other", "text"));
  EXPECT_EQ(Shell(writer, "rm /data/large && echo x > /data/small && cat /data/small"), "x\n");
}

TEST_P(NativeVolumes, NothingOfItIsADeviceOrGivesRights) {
  CreateRequest request = With(false);
  request.noexec = true;
  request.owner = 0;
  request.privileges = Privileges::kRoot;
  ASSERT_TRUE(engine_->Create(request));
  const std::string options = Shell(request.id, "grep ' /data ' /proc/self/mounts");
  for (const char* option : {"nosuid", "nodev", "noexec"})
    EXPECT_THAT(options, ::testing::HasSubstr(option));
  EXPECT_EQ(Shell(request.id, "stat -c %u /data"), "0\n");
}

TEST_P(NativeVolumes, WhoWritesIsNeverTwoWhateverDies) {
  const SandboxId writer = CreateWith(false);
  // The launcher that mounted it dies; the sandbox runs on, and has it.
  ASSERT_EQ(::kill(native().launcher_pid(), SIGKILL), 0);
  EXPECT_FALSE(volume::MountVolume(volume_, volume::Use::kWrite, Millis(0)));
  EXPECT_FALSE(volume::MountVolume(volume_, volume::Use::kRead, Millis(0)));
  EXPECT_TRUE(Eventually([&] { return Answers(writer); }));
  EXPECT_FALSE(IsFree(false));
  KillGuest(writer);
  EXPECT_TRUE(Eventually([&] {
    return volume::MountVolume(volume_, volume::Use::kWrite, Millis(0)).has_value();
  })) << "what nobody has mounted is not locked";
  EXPECT_FALSE(IsFree(false)) << "it is the sandbox's, which can be started again";
}

TEST_P(NativeVolumes, WhatIsMountedElsewhereIsNotMounted) {
  auto mount = volume::MountVolume(volume_, volume::Use::kRead);
  ASSERT_TRUE(mount) << mount.error().ToString();
  const SandboxId reader = CreateWith(true);
  ASSERT_TRUE(engine_->Destroy(reader));
  const CreateRequest writer = With(false);
  EXPECT_THAT(engine_->Create(writer), FailsWith(ErrorCode::kIllegalState));
  EXPECT_FALSE(StatusOf(writer.id));
}

TEST_P(NativeVolumes, OfTwoThatAskAtOnceOneHasIt) {
  std::vector<CreateRequest> requests;
  for (int i = 0; i < 8; ++i) requests.push_back(With(false));
  std::atomic<int> made = 0;
  {
    std::vector<std::jthread> threads;
    threads.reserve(requests.size());
    for (const CreateRequest& request : requests)
      threads.emplace_back([&] { made += engine_->Create(request) ? 1 : 0; });
  }
  EXPECT_EQ(made, 1);
}

TEST_P(NativeVolumes, WhatLeadsElsewhereInsideIsNotFollowedOutside) {
  CreateRequest request = With(false);
  request.volumes[0].target = "/workspace/link/data";
  ASSERT_TRUE(engine_->Create(request));
  EXPECT_EQ(Shell(request.id, "echo x > /workspace/link/data/file; cat /workspace/link/data/file"),
            "x\n");
}

}  // namespace
}  // namespace cay::engine
