// A volume between sandboxes: what is in it is shared on purpose, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "arena.h"
#include "attack_table.h"
#include "live_sandbox.h"
#include "volume/store/volume_store.h"
#include "volume/volume_dir.h"

namespace cay::attacks {
namespace {

using ::testing::HasSubstr;

class VolumeAttacks : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_TRUE(store_.Create("shared", 2 * volume::kMinVolume));
  }
  void TearDown() override {
    if (::geteuid() != 0) return;
    EXPECT_TRUE(store_.Remove("shared"));
  }

  std::string Try(const std::string& probe, const std::string& options) {
    return VerdictOf(arena_.Attack(probe, options)->Wait());
  }
  std::unique_ptr<ChildProcess> Hold(const std::string& probe, const std::string& options) {
    auto child = arena_.Attack(probe, "-i " + options);
    EXPECT_TRUE(child->WaitForLine("ready")) << "held nothing: " << child->Wait().err;
    return child;
  }
  // A shell line in a sandbox that has the volume.
  Outcome Run(const std::string& line, const std::string& mode = "rw",
              std::vector<std::string> more = {}) {
    std::vector<std::string> argv = {"run", "--quiet", "--volume", "shared:/shared:" + mode};
    argv.insert(argv.end(), more.begin(), more.end());
    argv.insert(argv.end(), {"--", "sh", "-c", line});
    return arena_.Cay(argv)->Wait();
  }

  Arena& arena_ = Arena::Own();
  const Paths paths_{.state_dir = arena_.state_dir(), .run_dir = arena_.run_dir()};
  volume::VolumeStore store_{paths_,
                             []() -> Result<std::vector<volume::VolumeUser>> { return {}; }};
};

constexpr const char* kWrite = "--volume shared:/shared";
constexpr const char* kRead = "--volume shared:/shared:ro";

TEST_F(VolumeAttacks, AReadOnlyOneCannotBeMadeWritable) {
  ASSERT_EQ(Run("echo kept > /shared/file; chmod 666 /shared/file").exit_code, 0);
  for (const char* probe : {"remount_writable /shared", "mount_setattr /shared"}) {
    const std::string verdict = Try(probe, kRead);
    EXPECT_TRUE(verdict.starts_with("refused")) << probe << ": " << verdict;
  }
  for (const std::vector<std::string>& as :
       {std::vector<std::string>{}, std::vector<std::string>{"-u", "0", "--privileges", "root"}}) {
    EXPECT_THAT(Run("echo x > /shared/file", "ro", as).err, HasSubstr("Read-only"));
    EXPECT_THAT(Run("rm /shared/file", "ro", as).err, HasSubstr("Read-only"));
    EXPECT_THAT(Run("chmod 777 /shared/file", "ro", as).err, HasSubstr("Read-only"));
  }
  EXPECT_EQ(Run("cat /shared/file").out, "kept\n");
}

// One superblock for both would connect them.
TEST_F(VolumeAttacks, AFifoOfAVolumeDoesNotLeadToAnotherReader) {
  ASSERT_EQ(Run("mkfifo /shared/fifo; chmod 666 /shared/fifo").exit_code, 0);
  const Outcome alone =
      Run("timeout 5 sh -c 'cat /shared/fifo & echo through > /shared/fifo; wait'", "ro");
  EXPECT_EQ(alone.out, "through\n") << "it works within one";
  const auto reader = arena_.Cay({"run", "--quiet", "--volume", "shared:/shared:ro", "--", "sh",
                                  "-c", "echo ready; timeout 3 cat /shared/fifo; exit 0"});
  ASSERT_TRUE(reader->WaitForLine("ready"));
  const Outcome writer = Run("timeout 1 sh -c 'echo leaked > /shared/fifo' || echo nobody", "ro");
  EXPECT_EQ(writer.out, "nobody\n");
  EXPECT_THAT(reader->Wait().out, ::testing::Not(HasSubstr("leaked")));
}

TEST_F(VolumeAttacks, ALockOfAReaderIsNotSeenByAnother) {
  ASSERT_EQ(Run("echo x > /shared/file; chmod 666 /shared/file").exit_code, 0);
  const auto holder = Hold("hold_lock /shared/file", kRead);
  EXPECT_EQ(Try("take_lock /shared/file", kRead), "through");
  holder->CloseInput();
  EXPECT_EQ(VerdictOf(holder->Wait()), "held");
}

TEST_F(VolumeAttacks, NothingInItIsADeviceOrGivesRights) {
  const std::string node = Try("mknod /shared/node", kWrite);
  EXPECT_TRUE(node.starts_with("refused")) << node;
  ASSERT_EQ(Run("cp /usr/bin/id /shared/id; chmod 6755 /shared/id", "rw", {"-u", "0"}).exit_code,
            0);
  EXPECT_EQ(Run("/shared/id -u").out, "1000\n") << "setuid root, of the sandbox before";
  // On disk they are numbers of the inside, and nobody's outside.
  EXPECT_FALSE(std::filesystem::exists("/shared"));
}

TEST_F(VolumeAttacks, ItsImageAndDeviceAreOutOfReach) {
  const Outcome looked =
      Run("for d in /dev/loop* /dev/block /sys/block; do ls $d; done 2>/dev/null; "
          "dev=$(stat -c %d /shared); python3 -c \"import os,sys\nos.mknod('/tmp/dev', 0o60600, "
          "int(sys.argv[1]))\" $dev; "
          "cat /tmp/dev",
          "rw", {"-u", "0", "--privileges", "root"});
  EXPECT_NE(looked.exit_code, 0);
  EXPECT_THAT(looked.out, ::testing::Not(HasSubstr("loop")));
  EXPECT_THAT(looked.err, HasSubstr("Operation not permitted"));
}

TEST_F(VolumeAttacks, ALinkThatLeadsOutLeadsNowhereOutside) {
  ASSERT_EQ(
      Run("ln -s / /shared/root; ln -s /etc/shadow /shared/shadow; ln -s ../../../etc /shared/up")
          .exit_code,
      0);
  archive::StringSink sink;
  const auto packed = store_.Export("shared", sink);
  ASSERT_TRUE(packed) << packed.error().ToString();
  EXPECT_EQ(packed->entries, 4U);
  EXPECT_THAT(sink.text(), ::testing::Not(HasSubstr("root:")));
  EXPECT_EQ(Run("ls /shared/root/shared | wc -l").out, "3\n") << "it is the sandbox's own root";
}

// A directory where a volume is mounted, and everything on the way to it, may be a link.
TEST_F(VolumeAttacks, AHostileTargetIsResolvedInside) {
  const auto engine = StartEngine(arena_);
  engine::CreateRequest request(*SandboxId::Generate(), HostTemplate(arena_));
  request.limits.disk = 32 * kMiB;
  request.lifetime = engine::Lifetime::kPersistent;
  request.volumes = {{.directory = store_.DirectoryOf("shared"), .target = "/workspace/a/b"}};
  ASSERT_TRUE(engine->Create(request));
  const GuestChannel guest([&] { return engine->Connect(request.id); });
  const auto shell = [&](const std::string& line) {
    protocol::StartRequest start;
    start.argv = {"/bin/sh", "-c", line};
    auto stream = guest.Start(start);
    return stream ? Finish(*stream) : CommandResult{};
  };
  // Busy: it is mounted below. So the whole is moved away, and a link put in its place.
  ASSERT_EQ(shell("mv /workspace/a /workspace/c && ln -s /etc /workspace/a").exit_code, 0);
  ASSERT_TRUE(engine->Stop(request.id));
  const auto started = engine->Start(request.id);
  if (started) {
    EXPECT_EQ(shell("mountpoint -q /etc/b").exit_code, 0);
  }
  EXPECT_FALSE(std::filesystem::exists("/etc/b")) << "of the host";
  EXPECT_TRUE(engine->Destroy(request.id));
}

// Whatever is killed, at whichever moment: two never have it to write.
TEST_F(VolumeAttacks, NeverMountedTwiceWhateverIsKilled) {
  for (int round = 0; round < 10; ++round) {
    auto first = arena_.Cay({"run", "--quiet", "--volume", "shared:/shared", "--", "sh", "-c",
                             "echo mine > /shared/owner; echo ready; exec sleep 60"});
    if (round % 2 == 0) {
      ASSERT_TRUE(first->WaitForLine("ready"));
    } else {
      ::usleep(static_cast<useconds_t>(round) * 8000);
    }
    first->Kill(SIGKILL);
    const std::string directory = store_.DirectoryOf("shared");
    // Either it is still mounted, and nobody gets it, or it can be had, whole.
    const auto mount = volume::MountVolume(directory, volume::Use::kWrite);
    ASSERT_TRUE(mount) << mount.error().ToString();
    EXPECT_FALSE(volume::MountVolume(directory, volume::Use::kRead, Millis(0)));
    (void)first->Wait();
  }
}

TEST_F(VolumeAttacks, FullOfBlocksOrInodesItHarmsNobodyElse) {
  EXPECT_THAT(Run("head -c 100m /dev/zero > /shared/large; echo $?").err,
              HasSubstr("No space left"));
  EXPECT_THAT(
      Run("rm /shared/large; i=0; while : > /shared/f$i; do i=$((i+1)); done 2>&1 | tail -1").out,
      HasSubstr("No space left"));
  EXPECT_EQ(Run("echo fine > /workspace/x; cat /workspace/x", "ro").out, "fine\n");
}

}  // namespace
}  // namespace cay::attacks
