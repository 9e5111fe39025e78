// Root filesystems that are hostile themselves: what a layer must not be able to do.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/os/file.h"
#include "engine/native/rootfs/usual_places.h"
#include "host_state.h"
#include "live_sandbox.h"

namespace cay::attacks {
namespace {

namespace fs = std::filesystem;

class Layer : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    root_ = Arena::Own().directory() + "/layer";
    for (const char* name : {"", "/dev", "/proc", "/tmp", "/etc", "/bin", "/attack", "/root"}) {
      fs::create_directories(root_ + name);
    }
    ::chmod((root_ + "/tmp").c_str(), 01777);
    std::ofstream(root_ + "/etc/passwd") << "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/:/x\n";
    std::ofstream(root_ + "/etc/group") << "root:x:0:\nuser:x:1000:\n";
    engine_ = StartEngine(Arena::Own());
  }
  void TearDown() override {
    engine_.reset();
    if (!root_.empty()) {
      EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, root_));
    }
  }

  void CopyVictim(const std::string& name, mode_t mode) {
    fs::copy_file(Arena::Own().victim(), root_ + name);
    ASSERT_EQ(::chown((root_ + name).c_str(), 0, 0), 0);
    ASSERT_EQ(::chmod((root_ + name).c_str(), mode), 0);
  }

  engine::RootFilesystem Root() const {
    return engine::HostLayers{.overlays = {{.target = "/", .layers = {root_}}}};
  }

  // A Create that may fail; when it does not, the sandbox is destroyed again.
  Result<void> TryCreate() {
    const SandboxId id = TRY(SandboxId::Generate());
    const engine::CreateRequest request(id, Root());
    TRY(engine_->Create(request));
    return engine_->Destroy(id);
  }

  std::string root_;
  std::unique_ptr<engine::native::NativeEngine> engine_;
};

TEST_F(Layer, ASetuidProgramRunsAsItsCaller) {
  CopyVictim("/bin/setuid", 06755);
  const LiveSandbox sandbox(*engine_, Root());
  EXPECT_EQ(sandbox.Execute({"/bin/setuid", "effective_user"}).LastLine(), "uid 1000 gid 1000");
}

TEST_F(Layer, AProgramWithFileCapabilitiesHasNone) {
  CopyVictim("/bin/capable", 0755);
  vfs_cap_data capabilities{};
  capabilities.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE;
  capabilities.data[0].permitted = ~0U;
  capabilities.data[1].permitted = 0x1ff;
  ASSERT_EQ(::setxattr((root_ + "/bin/capable").c_str(), "security.capability", &capabilities,
                       sizeof capabilities, 0),
            0);
  const LiveSandbox sandbox(*engine_, Root());
  // Either it is not executed at all, or without any.
  const CommandResult result = sandbox.Execute({"/bin/capable", "status", "CapEff"});
  EXPECT_TRUE(result.LastLine() == "0000000000000000" || result.exit_code == 126 ||
              result.LastLine().starts_with("error:"))
      << result.out;
}

TEST_F(Layer, ADeviceNodeCannotBeOpened) {
  ASSERT_EQ(::mknod((root_ + "/memory").c_str(), S_IFCHR | 0666, makedev(1, 1)), 0);
  ASSERT_EQ(::mknod((root_ + "/zero").c_str(), S_IFCHR | 0666, makedev(1, 5)), 0);
  ASSERT_EQ(::mknod((root_ + "/disk").c_str(), S_IFBLK | 0666, makedev(7, 0)), 0);
  const LiveSandbox sandbox(*engine_, Root());
  EXPECT_EQ(sandbox.Run("read /memory"), "refused EACCES");
  EXPECT_EQ(sandbox.Run("read /zero"), "refused EACCES");
  EXPECT_EQ(sandbox.Run("read /disk"), "refused EACCES");
}

// The mounts would land at the end of the symlink.
class Symlinked : public Layer, public testing::WithParamInterface<const char*> {};

TEST_P(Symlinked, IsRefusedOrReplacedAndNothingOfTheHostIsTouched) {
  const std::string host = Arena::Own().directory() + "/host-directory";
  fs::create_directories(host);
  const std::string name = root_ + GetParam();
  fs::create_directories(fs::path(name).parent_path());
  fs::remove_all(name);
  fs::create_symlink(host, name);
  const auto created = TryCreate();
  if (!created) {
    EXPECT_FALSE(created.error().message().empty());
  }
  EXPECT_TRUE(fs::is_empty(host));
  const auto mounts = ReadFile("/proc/self/mountinfo");
  ASSERT_TRUE(mounts);
  EXPECT_EQ(mounts->find(host), std::string::npos);
  fs::remove_all(host);
}

std::string PathName(const testing::TestParamInfo<const char*>& info) {
  std::string text = info.param;
  std::replace(text.begin(), text.end(), '/', '_');
  return text.substr(1);
}

INSTANTIATE_TEST_SUITE_P(Path, Symlinked,
                         testing::Values("/dev", "/proc", "/dev/null", "/dev/pts", "/tmp",
                                         "/attack", "/dev/shm"),
                         PathName);

TEST_F(Layer, AFakeProcIsCoveredByTheRealOne) {
  fs::create_directories(root_ + "/proc/self");
  std::ofstream(root_ + "/proc/self/status") << "NoNewPrivs:\t0\nSeccomp:\t0\n";
  const LiveSandbox sandbox(*engine_, Root());
  EXPECT_EQ(sandbox.Run("status Seccomp"), "2");
}

TEST_F(Layer, AProcThatIsAFileIsAnErrorAndNotACrash) {
  fs::remove_all(root_ + "/proc");
  std::ofstream(root_ + "/proc") << "no directory\n";
  EXPECT_FALSE(TryCreate());
  engine_.reset();  // with what it makes ahead
  EXPECT_EQ(WaitForHostState(Arena::Own(), {}, HostState{}), HostState{});
}

// overlayfs holds lists of others for nobody's account (engine/native/rootfs/usual_places.h).
TEST(HostTemplate, HasNoDirectoryForOthersToWriteToThatIsNotMadeInTheWritableLayer) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const engine::RootFilesystem root = HostTemplate(Arena::Own());
  ASSERT_TRUE(engine::HostLayersOf(root).has_usual_places);
  const std::filesystem::path layer = engine::HostLayersOf(root).overlays.at(0).layers.at(0);
  size_t found = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(layer)) {
    struct stat info{};
    ASSERT_EQ(::lstat(entry.path().c_str(), &info), 0);
    if (!S_ISDIR(info.st_mode) || ((info.st_mode & S_IWOTH) == 0 && info.st_uid == 0)) continue;
    const std::string path = entry.path().lexically_relative(layer);
    const auto* const place = std::ranges::find_if(
        engine::native::kUsualPlaces, [&](const auto& usual) { return path == usual.path; });
    ASSERT_NE(place, engine::native::kUsualPlaces.end()) << path;
    EXPECT_EQ(info.st_mode & 07777, place->mode) << path;
    EXPECT_EQ(info.st_uid, place->owner) << path;
    ++found;
  }
  EXPECT_EQ(found, 7U);
}

}  // namespace
}  // namespace cay::attacks
