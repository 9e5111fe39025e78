// Sandboxes whose root has its privileges: what id 0 can do inside, that it stays inside, and that
// nobody else has them. probe_attacks_test.cc runs the whole table of attacks as such a root.
#include <endian.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "arena.h"
#include "attack_table.h"
#include "base/os/file.h"
#include "live_sandbox.h"

namespace cay::attacks {
namespace {

constexpr const char* kNone = "0000000000000000";
constexpr const char* kAll = "00000000800001fb";
constexpr const char* kAsRoot = "--privileges root -u 0";

struct Try {
  const char* name;
  const char* probe;
  const char* expected;
};
void PrintTo(const Try& one, std::ostream* out) { *out << one.probe; }

class RootInside : public testing::TestWithParam<Try> {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_P(RootInside, GetsNoFurther) {
  const Outcome outcome = Arena::Own().Attack(GetParam().probe, kAsRoot)->Wait();
  EXPECT_TRUE(Matches(VerdictOf(outcome), GetParam().expected))
      << "said: " << VerdictOf(outcome) << "\nmust say: " << GetParam().expected << "\n"
      << outcome.err;
  EXPECT_EQ(outcome.exit_code, 0);
}

constexpr const char* kNotIts = "refused EPERM|refused EROFS";

constexpr Try kTries[] = {
    {"HasItsPrivileges", "status CapEff", kAll},
    {"ChangesOwners", "change_owner /tmp 33", "through"},
    {"BecomesAnyIdInside", "become_id 65535", "through"},
    {"BecomesNoIdOutside", "become_id 65536", "refused EINVAL"},
    {"GivesNothingToIdsOutside", "change_owner /tmp 65536", "refused EINVAL"},
    {"RegainsNothingByExec", "regain_by_exec", kNone},
    {"HasNothingAsAnotherUser", "look_as_user", kNone},
    {"DoesNotComeBack", "come_back", "refused EPERM"},
    {"MakesNoProgramWithCapabilities", "program_with_capabilities", kNone},
    {"MakesNoSetuidProgram", "setuid_program", "uid 1000 gid 1000"},
    {"MakesNothingImmutable", "make_immutable", "refused EPERM|refused ENOTTY|refused EOPNOTSUPP"},
    {"ChangesNoProject", "change_project",
     "refused EINVAL|refused EPERM|refused ENOTTY|refused EOPNOTSUPP"},
    {"SignalsNoGuest", "signals_to_the_guest", "refused EPERM"},
    {"TakesNoFileOfTheGuest", "change_owner /proc/1/oom_score_adj 0", kNotIts},
    {"TakesNoSetting", "change_owner /proc/sys/kernel/core_pattern 0", kNotIts},
    {"OpensNoSetting", "change_mode /proc/sys/kernel/core_pattern 666", kNotIts},
    {"TakesNoDevice", "change_owner /dev/null 0", kNotIts},
    {"ChangesNoDevice", "change_mode /dev/null 0", kNotIts},
    {"ChangesNoDeviceOfTerminals", "change_mode /dev/tty 0", kNotIts},
    {"RemovesNoDevice", "remove /dev/null", "refused EPERM|refused EROFS|refused EBUSY"},
    {"TakesNoCgroup", "change_owner /sys/fs/cgroup/cpuset/cpuset.cpus 0",
     "refused EPERM|refused EROFS|refused ENOENT"},
};
std::string NameOf(const testing::TestParamInfo<Try>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Of, RootInside, testing::ValuesIn(kTries), NameOf);

// Inside, the kernel counts for each user; one level up for the sandbox.
TEST(RootAttacks, ManyUsersHaveOneSandboxsInotifyInstances) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  long most = 0;
  std::ifstream("/proc/sys/fs/inotify/max_user_instances") >> most;
  if (most > 2500) GTEST_SKIP() << "the machine allows " << most;
  const std::string verdict =
      VerdictOf(Arena::Own().Attack("inotify_of_many_ids", kAsRoot)->Wait());
  EXPECT_EQ(verdict, "refused after " + std::to_string(most));
}

TEST(RootAttacks, AnOrdinaryUsersSandboxHasNoRoot) {
  const Arena& arena = ::geteuid() == 0 ? Arena::OrdinaryUser() : Arena::Own();
  const Outcome outcome = arena.Attack("status CapEff", "--privileges root")->Wait();
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("no root"), std::string::npos) << outcome.err;
}

// Files of the host in a mounted directory: of its owner, of somebody else, of the host's root.
class RootAndMounts : public testing::Test {
 protected:
  static constexpr uid_t kOwner = 4242;
  static constexpr uid_t kStranger = 4343;

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    std::filesystem::create_directories(directory_);
    Make("own", kOwner, kOwner, 0600);
    Make("strangers", kStranger, kStranger, 0600);
    Make("roots", 0, 0, 0600);
    Make("roots_with_its_group", 0, kOwner, 0600);
    ASSERT_EQ(::chown(directory_.c_str(), kOwner, kOwner), 0);
    ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void Make(const char* name, uid_t uid, gid_t gid, mode_t mode) const {
    const std::string path = directory_ + "/" + name;
    ASSERT_TRUE(WriteFileAtomic(path, "secret", mode));
    ASSERT_EQ(::chown(path.c_str(), uid, gid), 0);
  }
  std::string Try(const std::string& probe, const std::string& mode) const {
    const std::string options = "--mount " + directory_ + ":/mounted:" + mode + " " + kAsRoot;
    return VerdictOf(Arena::Own().Attack(probe, options)->Wait());
  }
  // As root of a sandbox whose user, and so the mount's owner inside, is 1000.
  std::string TryOfUser(const std::string& probe, bool read_only) const {
    const auto engine = StartEngine(Arena::Own());
    const LiveSandbox sandbox(
        *engine, HostTemplate(Arena::Own()),
        LiveSandbox::Kind{
            .privileges = Privileges::kRoot,
            .mounts = {{.source = directory_, .target = "/mounted", .read_only = read_only}}});
    std::vector<std::string> argv = SplitWords(probe);
    argv.insert(argv.begin(), "/attack/attack-victim");
    return sandbox.Execute(argv, "0").LastLine();
  }
  // Whose user namespaces the capabilities of a file hold in; 0: the host's.
  uint32_t RootOfCapabilities(const char* name) const {
    vfs_ns_cap_data data{};
    const ssize_t size =
        ::getxattr((directory_ + "/" + name).c_str(), "security.capability", &data, sizeof data);
    return size == ssize_t{sizeof data} ? le32toh(data.rootid) : 0;
  }
  struct stat Look(const std::string& name) const {
    struct stat info{};
    EXPECT_EQ(::lstat((directory_ + "/" + name).c_str(), &info), 0) << name;
    return info;
  }

  const std::string directory_ = Arena::Own().directory() + "/mounted";
};

TEST_F(RootAndMounts, FilesOfOthersAreOutOfReachInAReadWriteMount) {
  for (const std::string name : {"strangers", "roots", "roots_with_its_group"}) {
    const std::string path = "/mounted/" + name;
    for (const std::string& probe :
         {"read " + path, "write " + path + " x", "change_owner " + path + " 0",
          "change_owner " + path + " 1000", "change_mode " + path + " 666", "remove " + path,
          "rename " + path + " /mounted/else", "link " + path + " /mounted/else",
          "set_capability " + path}) {
      const std::string verdict = Try(probe, "rw");
      EXPECT_TRUE(Matches(verdict, "refused EACCES|refused EPERM|refused EOVERFLOW|refused EINVAL"))
          << probe << ": " << verdict;
    }
    EXPECT_EQ(TryOfUser("read " + path, false), "refused EACCES");
    std::ifstream file(directory_ + "/" + name);
    std::string content;
    file >> content;
    EXPECT_EQ(content, "secret");
    EXPECT_EQ(Look(name).st_mode & 07777U, 0600U);
    EXPECT_NE(Look(name).st_uid, kOwner);
  }
}

TEST_F(RootAndMounts, TheOwnersFilesAreReachedInAReadWriteMount) {
  EXPECT_EQ(Try("read /mounted/own", "rw"), "through");
  EXPECT_EQ(Try("write /mounted/own y", "rw"), "through");
}

// They are those of a user namespace with another root than the host's: that of the sandbox, or the
// mount's owner where that is root inside.
TEST_F(RootAndMounts, CapabilitiesOfAFileAreNoneOnTheHost) {
  ASSERT_EQ(TryOfUser("set_capability /mounted/own", false), "through");
  const uint32_t root = RootOfCapabilities("own");
  EXPECT_TRUE(root >= 0x70000000 && root < 0x80000000) << root;
  ASSERT_EQ(Try("set_capability /mounted/own", "rw"), "through");
  EXPECT_EQ(RootOfCapabilities("own"), kOwner);
}

TEST_F(RootAndMounts, NothingIsGivenToIdsOfTheHost) {
  // 33 is an id of the sandbox's range, and of nobody on the host.
  const std::string verdict = Try("change_owner /mounted/own 33", "rw");
  EXPECT_TRUE(Matches(verdict, "through|refused EPERM|refused EINVAL|refused EOVERFLOW"))
      << verdict;
  const uid_t after = Look("own").st_uid;
  EXPECT_TRUE(after == kOwner || (after >= 0x70000000 && after < 0x80000000)) << after;
}

// A read-only mount has no group inside, and so root no way around what its files' modes say. Its
// owner is the sandbox's user: root where the sandbox is root's.
TEST_F(RootAndMounts, AReadOnlyMountShowsRootWhatEverybodySees) {
  for (const char* name : {"own", "strangers", "roots", "roots_with_its_group"}) {
    const std::string path = std::string("/mounted/") + name;
    for (const std::string& probe :
         {"read " + path, "write " + path + " x", "change_owner " + path + " 0",
          "change_mode " + path + " 666", "remove " + path, "set_capability " + path}) {
      const std::string verdict = TryOfUser(probe, true);
      EXPECT_TRUE(Matches(verdict, "refused EACCES|refused EPERM|refused EROFS"))
          << probe << ": " << verdict;
    }
  }
  EXPECT_EQ(Try("read /mounted/own", "ro"), "through");
  EXPECT_EQ(Try("read /mounted/strangers", "ro"), "refused EACCES");
}

// To connect is no write to the filesystem, but it needs the right to write to the socket.
TEST_F(RootAndMounts, ASocketOfAReadOnlyMountIsNotReached) {
  const std::string path = directory_ + "/socket";
  const Fd socket = Fd::Adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  // Made later than the sandbox, which covers what is there before.
  const auto engine = StartEngine(Arena::Own());
  const LiveSandbox sandbox(
      *engine, HostTemplate(Arena::Own()),
      {.privileges = Privileges::kRoot, .mounts = {{.source = directory_, .target = "/mounted"}}});
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(socket.get(), 1), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
  ASSERT_EQ(::chown(path.c_str(), kOwner, kOwner), 0);
  const std::string verdict =
      sandbox.Execute({"/attack/attack-victim", "unix", "/mounted/socket"}, "0").LastLine();
  EXPECT_TRUE(Matches(verdict, "refused EACCES|refused EPERM")) << verdict;
}

class RootsSandbox : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    engine_ = StartEngine(Arena::Own());
    sandbox_ = std::make_unique<LiveSandbox>(*engine_, HostTemplate(Arena::Own()),
                                             LiveSandbox::Kind{.privileges = Privileges::kRoot});
  }

  std::string Run(const std::string& probe, const std::string& user = "0") const {
    std::vector<std::string> argv = SplitWords(probe);
    argv.insert(argv.begin(), "/attack/attack-victim");
    return sandbox_->Execute(argv, user).LastLine();
  }
  Result<void> Write(const std::string& path, const std::string& user) const {
    TRY(sandbox_->guest().WriteFile({.user = user, .path = path, .mode = 0600}, TextSource("x")));
    return {};
  }
  Result<void> Read(const std::string& path, const std::string& user) const {
    TRY(sandbox_->guest().ReadFile({.user = user, .path = path, .length = 100},
                                   [](std::string_view) -> Result<void> { return {}; }));
    return {};
  }

  std::unique_ptr<engine::native::NativeEngine> engine_;
  std::unique_ptr<LiveSandbox> sandbox_;
};

TEST_F(RootsSandbox, GivesPrivilegesToId0Alone) {
  EXPECT_EQ(Run("status CapEff", "0"), kAll);
  EXPECT_EQ(Run("status CapBnd", "0"), kAll);
  for (const char* user : {"", "1000", "33", "65534"}) {
    for (const char* set : {"CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"})
      EXPECT_EQ(Run(std::string("status ") + set, user), kNone) << user << " " << set;
  }
}

TEST_F(RootsSandbox, KeepsThemThroughAReset) {
  ASSERT_TRUE(engine_->Reset(sandbox_->id()));
  EXPECT_EQ(Run("status CapEff", "0"), kAll);
  EXPECT_EQ(Run("status CapEff", "1000"), kNone);
}

TEST_F(RootsSandbox, ServesOnWhateverItsRootSends) {
  for (const int signal : {9, 19, 11, 15, 17, 20}) {
    Run("kill_threads " + std::to_string(signal));
    EXPECT_EQ(Run("status CapEff", "0"), kAll) << signal;
    EXPECT_TRUE(Write("/tmp/served", "")) << signal;
  }
}

TEST_F(RootsSandbox, ServesFilesToRootAsAProcessOfItHasThem) {
  ASSERT_TRUE(Write("/tmp/mine", "1000"));
  ASSERT_TRUE(sandbox_->guest().ChangeMode({.user = "1000", .path = "/tmp/mine", .mode = 0400}));
  ASSERT_TRUE(sandbox_->guest().MakeDirectory({.user = "1000", .path = "/tmp/own", .mode = 0700}));
  EXPECT_TRUE(Read("/tmp/mine", "0"));
  EXPECT_TRUE(Write("/tmp/own/of_root", "0"));
  const auto made = sandbox_->guest().Stat({.user = "0", .path = "/tmp/own/of_root"});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->uid, 0U);
  EXPECT_TRUE(sandbox_->guest().ChangeMode({.user = "0", .path = "/tmp/mine", .mode = 0600}));
  // Nobody else has more than before.
  EXPECT_FALSE(Read("/tmp/own/of_root", "1000"));
  EXPECT_FALSE(Read("/tmp/mine", "33"));
  EXPECT_FALSE(Write("/etc/by_the_user", "1000"));
}

TEST_F(RootsSandbox, UnpacksForRootWhereARootMayWrite) {
  ASSERT_TRUE(sandbox_->guest().MakeDirectory({.user = "1000", .path = "/tmp/own", .mode = 0700}));
  ASSERT_TRUE(Write("/tmp/own/file", "1000"));
  size_t bytes = 0;
  const auto count = [&bytes](std::string_view part) -> Result<void> {
    bytes += part.size();
    return {};
  };
  const auto out = sandbox_->guest().ArchiveOut({.user = "0", .path = "/tmp/own"}, count);
  ASSERT_TRUE(out) << out.error().ToString();
  EXPECT_EQ(out->skipped, 0U);
  EXPECT_EQ(out->entries, 2U);
}

// The guest is who opens them, and it may do more than root.
TEST_F(RootsSandbox, ServesNothingOfTheGuestToRoot) {
  for (const char* path : {"/proc/1/mem", "/proc/1/environ", "/proc/1/maps", "/proc/self/mem",
                           "/proc/self/environ", "/proc/1/root/etc/passwd"}) {
    EXPECT_FALSE(Read(path, "0")) << path;
  }
  for (const char* path : {"/proc/1/oom_score_adj", "/proc/self/oom_score_adj",
                           "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"}) {
    EXPECT_FALSE(Write(path, "0")) << path;
    EXPECT_FALSE(sandbox_->guest().ChangeMode({.user = "0", .path = path, .mode = 0666})) << path;
    EXPECT_FALSE(sandbox_->guest().Remove({.user = "0", .path = path})) << path;
  }
  EXPECT_FALSE(sandbox_->guest().ChangeMode({.user = "0", .path = "/dev/null", .mode = 0}));
  EXPECT_FALSE(sandbox_->guest().Remove({.user = "0", .path = "/dev/null"}));
}

TEST_F(RootsSandbox, ChangesNothingOfItsTemplate) {
  ASSERT_EQ(Run("create /usr/cay-attack-of-root"), "through");
  ASSERT_EQ(Run("change_mode /usr/bin/env 777"), "through");
  EXPECT_FALSE(std::filesystem::exists("/usr/cay-attack-of-root"));
  struct stat info{};
  ASSERT_EQ(::stat("/usr/bin/env", &info), 0);
  EXPECT_EQ(info.st_mode & 0022U, 0U);
}

}  // namespace
}  // namespace cay::attacks
