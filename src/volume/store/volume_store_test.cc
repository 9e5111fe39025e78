#include "volume/store/volume_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "volume/disk/ext4_image.h"
#include "volume/volume_dir.h"

namespace cay::volume {
namespace {

constexpr Bytes kSize = kMinVolume;

class Volumes : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 64> path{"/tmp/cay-volumes-XXXXXX"};
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    paths_ = {.state_dir = path.data(), .run_dir = path.data()};
  }
  void TearDown() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, paths_.state_dir)); }

  VolumeStore Store() {
    return {paths_, [this]() -> Result<std::vector<VolumeUser>> { return users_; }};
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    const std::vector<VolumeInfo> all = Store().List().value();
    for (const VolumeInfo& info : all) names.push_back(info.name);
    return names;
  }

  Paths paths_;
  std::vector<VolumeUser> users_;
};

TEST_F(Volumes, AreMadeListedAndRemovedByName) {
  VolumeStore store = Store();
  EXPECT_TRUE(store.List().value().empty());
  const VolumeInfo made = store.Create("data", kSize).value();
  EXPECT_EQ(made.name, "data");
  EXPECT_EQ(made.owner, "");
  EXPECT_EQ(made.size, kSize);
  EXPECT_GT(made.created_unix_ms, 0);
  const VolumeInfo owned = store.Create("@alice/data", 2 * kSize).value();
  EXPECT_EQ(owned.owner, "alice");
  EXPECT_EQ(owned.short_name(), "data");
  EXPECT_EQ(Names(), (std::vector<std::string>{"@alice/data", "data"}));
  EXPECT_EQ(store.Get("@alice/data").value().size, 2 * kSize);
  EXPECT_EQ(store.Get("data").value().created_unix_ms, made.created_unix_ms);
  ASSERT_TRUE(store.Remove("data"));
  EXPECT_EQ(Names(), (std::vector<std::string>{"@alice/data"}));
  EXPECT_EQ(store.Get("data").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(store.Remove("data").error().code(), ErrorCode::kNotFound);
}

TEST_F(Volumes, OneOfANameIsNotMadeTwice) {
  VolumeStore store = Store();
  ASSERT_TRUE(store.Create("data", kSize));
  const auto again = store.Create("data", kSize);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kAlreadyExists);
}

TEST_F(Volumes, NamesThatLeadElsewhereAreRefused) {
  VolumeStore store = Store();
  for (const char* name :
       {"", "..", "../x", "a/b", "UPPER", ".making-1", "@alice", "@alice/../x", "a+b"}) {
    const auto made = store.Create(name, kSize);
    ASSERT_FALSE(made) << name;
    EXPECT_EQ(made.error().code(), ErrorCode::kInvalidArgument) << name;
    EXPECT_FALSE(store.Get(name)) << name;
    EXPECT_FALSE(store.Remove(name)) << name;
  }
}

TEST_F(Volumes, OneThatASandboxHasIsNotRemovedAndItsSandboxIsNamed) {
  VolumeStore store = Store();
  ASSERT_TRUE(store.Create("data", kSize));
  users_ = {{.directory = "/elsewhere/volumes/data", .sandbox = "abc", .read_only = true}};
  EXPECT_EQ(store.Get("data").value().users.size(), 1U);
  const auto removed = store.Remove("data");
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code(), ErrorCode::kIllegalState);
  EXPECT_NE(removed.error().message().find("abc"), std::string::npos);
  users_.clear();
  EXPECT_TRUE(store.Remove("data"));
}

TEST_F(Volumes, OneThatHasLostWhatIsWrittenDownIsThereAllTheSame) {
  VolumeStore store = Store();
  ASSERT_TRUE(store.Create("@a+b/data", kSize));
  const std::string about = store.DirectoryOf("@a+b/data") + "/" + kAboutName;
  ASSERT_EQ(::truncate(about.c_str(), 3), 0);
  EXPECT_EQ(store.Get("@a+b/data").value().owner, "a+b");
  ASSERT_EQ(::unlink(about.c_str()), 0);
  EXPECT_EQ(store.Get("@a+b/data").value().size, kSize);
  EXPECT_TRUE(store.Remove("@a+b/data"));
}

// At whichever instant: there is a whole volume or none, and what else is there is garbage.
TEST_F(Volumes, AKilledMakerLeavesAVolumeOrNothing) {
  size_t whole = 0;
  for (int wait_us = 0; wait_us < 40'000; wait_us += 2000) {
    const pid_t child = ::fork();
    if (child == 0) {
      VolumeStore store = Store();
      (void)store.Create("data", kSize);
      ::_exit(0);
    }
    ASSERT_GT(child, 0);
    ::usleep(static_cast<useconds_t>(wait_us));
    ::kill(child, SIGKILL);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    VolumeStore store = Store();
    const auto info = store.Get("data");
    if (info) {
      ++whole;
      EXPECT_EQ(info->size, kSize);
      EXPECT_GT(info->created_unix_ms, 0);
      EXPECT_TRUE(store.Remove("data"));
    } else {
      EXPECT_EQ(info.error().code(), ErrorCode::kNotFound);
    }
    EXPECT_TRUE(store.CollectGarbage());
    EXPECT_EQ(store.CollectGarbage(true).value(), 0U);
    EXPECT_TRUE(store.List().value().empty());
  }
  EXPECT_LT(whole, 20U) << "nothing was killed on its way";
}

TEST_F(Volumes, WhatIsBeingMadeIsNoGarbage) {
  ASSERT_TRUE(MakeDirectories(paths_.volumes_dir(), 0700));
  VolumeStore store = Store();
  {
    const VolumeDraft draft = VolumeDraft::Begin(paths_.volumes_dir(), kSize).value();
    EXPECT_EQ(store.CollectGarbage().value(), 0U);
    EXPECT_TRUE(store.List().value().empty());
  }
  EXPECT_EQ(store.CollectGarbage(true).value(), 0U) << "one that fails removes it itself";
}

TEST_F(Volumes, WithoutRoomNothingRemains) {
  VolumeStore store = Store();
  const auto made = store.Create("data", kMaxVolume);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(store.CollectGarbage(true).value(), 0U);
}

class Archives : public Volumes {
 protected:
  void SetUp() override {
    if (!WhyNoImages().empty()) GTEST_SKIP() << WhyNoImages();
    Volumes::SetUp();
  }
};

TEST_F(Archives, WhatIsExportedCanBeImportedAgain) {
  VolumeStore store = Store();
  ASSERT_TRUE(store.Create("data", kSize));
  {
    const Fd mount = MountVolume(store.DirectoryOf("data"), Use::kWrite).value();
    ASSERT_TRUE(GiveTop(mount, 1000));
    ASSERT_TRUE(sys::MkdirAt(mount.get(), "dir", 0750));
    const Fd file = sys::OpenAt(mount.get(), "dir/file", O_WRONLY | O_CREAT, 0640).value();
    ASSERT_TRUE(WriteAll(file.get(), "words"));
    ASSERT_TRUE(sys::ChownAt(mount.get(), "dir/file", 33, 34));
    ASSERT_TRUE(sys::SymlinkAt("dir/file", mount.get(), "link"));
    ASSERT_TRUE(sys::MknodAt(mount.get(), "fifo", S_IFIFO | 0666, 0));
  }
  archive::StringSink sink;
  const auto packed = store.Export("data", sink);
  ASSERT_TRUE(packed) << packed.error().ToString();
  EXPECT_EQ(packed->skipped_special, 1U);
  archive::StringSource source(sink.text());
  const auto imported = store.Import("copy", kSize, source);
  ASSERT_TRUE(imported) << imported.error().ToString();
  const Fd mount = MountVolume(store.DirectoryOf("copy"), Use::kRead).value();
  EXPECT_EQ(ReadFileAt(mount.get(), "dir/file").value(), "words");
  EXPECT_EQ(ReadFileAt(mount.get(), "link").value(), "words");
  struct stat info{};
  ASSERT_EQ(::fstatat(mount.get(), "dir/file", &info, 0), 0);
  EXPECT_EQ(info.st_uid, 33U);
  EXPECT_EQ(info.st_gid, 34U);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  EXPECT_EQ(::faccessat(mount.get(), "fifo", F_OK, AT_SYMLINK_NOFOLLOW), -1);
}

TEST_F(Archives, WhatDoesNotFitLeavesNothing) {
  VolumeStore store = Store();
  ASSERT_TRUE(store.Create("large", 4 * kSize));
  {
    const Fd mount = MountVolume(store.DirectoryOf("large"), Use::kWrite).value();
    const Fd file = sys::OpenAt(mount.get(), "file", O_WRONLY | O_CREAT, 0640).value();
    ASSERT_TRUE(WriteAll(file.get(), std::string(kSize + kMiB, 'x')));
  }
  archive::StringSink sink;
  ASSERT_TRUE(store.Export("large", sink));
  archive::StringSource source(sink.text());
  const auto imported = store.Import("copy", kSize, source);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(imported.error().fault(), Fault::kCaller);
  EXPECT_EQ(Names(), (std::vector<std::string>{"large"}));
  EXPECT_EQ(store.CollectGarbage(true).value(), 0U);
}

TEST_F(Archives, OneThatIsWrittenToIsNotExported) {
  VolumeStore store = Store();
  ASSERT_TRUE(store.Create("data", kSize));
  users_ = {{.directory = store.DirectoryOf("data"), .sandbox = "abc", .read_only = false}};
  const Fd image =
      LockImage(
          sys::OpenAt(AT_FDCWD, store.DirectoryOf("data").c_str(), O_RDONLY | O_DIRECTORY).value(),
          Use::kWrite, Millis(0))
          .value();
  archive::StringSink sink;
  const auto packed = store.Export("data", sink);
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code(), ErrorCode::kIllegalState);
  EXPECT_NE(packed.error().message().find("abc"), std::string::npos);
}

TEST_F(Archives, WhatIsNoArchiveLeavesNothing) {
  VolumeStore store = Store();
  archive::StringSource source(std::string(4096, 'x'));
  const auto imported = store.Import("copy", kSize, source);
  ASSERT_FALSE(imported);
  EXPECT_EQ(imported.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(store.List().value().empty());
  EXPECT_EQ(store.CollectGarbage(true).value(), 0U);
}

}  // namespace
}  // namespace cay::volume
