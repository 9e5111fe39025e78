#include "engine/native/launcher/scratch_maker.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

class ScratchMakerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (const std::string why_not = WhyNoDiskScratch(); !why_not.empty()) GTEST_SKIP() << why_not;
    std::string pattern = ::testing::TempDir() + "cay-maker-XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    limits_.disk = 32 * kMiB;
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  std::string images() const { return directory_ + "/images"; }

  // Loop devices whose file is one of ours, named or not.
  size_t Loops() const {
    size_t count = 0;
    for (const auto& device : std::filesystem::directory_iterator("/sys/block")) {
      std::ifstream file(device.path() / "loop/backing_file");
      std::string backing;
      if (std::getline(file, backing) && backing.starts_with(directory_)) ++count;
    }
    return count;
  }

  bool AwaitNoLoops() const {
    for (int tries = 0; tries < 500 && Loops() != 0; ++tries) ::usleep(10'000);
    return Loops() == 0;
  }

  std::string directory_;
  Limits limits_;
};

TEST_F(ScratchMakerTest, GivesAnEmptyLayerOfTheSizeOnce) {
  ScratchMaker maker(images());
  EXPECT_FALSE(maker.Take(limits_)) << "nothing was asked for";
  EXPECT_TRUE(maker.Prepare(limits_).value());
  EXPECT_FALSE(maker.Prepare(limits_).value()) << "one is under way";
  const auto made = maker.Take(limits_);
  ASSERT_TRUE(made);
  struct statvfs size{};
  ASSERT_EQ(::fstatvfs(made->mount.get(), &size), 0);
  EXPECT_LE(size.f_blocks * size.f_frsize, limits_.disk);
  EXPECT_GT(size.f_blocks * size.f_frsize, limits_.disk / 2);
  EXPECT_EQ(::faccessat(made->mount.get(), "0/upper", F_OK, 0), 0);
  EXPECT_NE(::faccessat(made->mount.get(), "0/work/ahead", F_OK, 0), 0);
  EXPECT_EQ(maker.held(), 0U);
  EXPECT_FALSE(maker.Take(limits_)) << "it was taken";
}

TEST_F(ScratchMakerTest, WhoFindsNoneReadyHasMoreMadeUpToABound) {
  ScratchMaker maker(images());
  ASSERT_TRUE(maker.Prepare(limits_));
  EXPECT_EQ(maker.held(), 1U);
  for (size_t wanted : {2U, 4U, 4U}) {
    while (maker.held() > 0) EXPECT_TRUE(maker.Take(limits_));
    EXPECT_FALSE(maker.Take(limits_)) << "a miss";
    ASSERT_TRUE(maker.Prepare(limits_).value());
    EXPECT_GE(maker.held(), wanted);
    EXPECT_LE(maker.held(), ScratchMaker::kMostByDemand);
  }
  EXPECT_EQ(maker.Shrink().size(), ScratchMaker::kMostByDemand - 1);
  EXPECT_EQ(maker.held(), 1U);
  EXPECT_FALSE(maker.Prepare(limits_).value()) << "one is enough again";
  EXPECT_TRUE(maker.Take(limits_));
}

TEST_F(ScratchMakerTest, ItsImageGetsTheSandboxsName) {
  ScratchMaker maker(images());
  ASSERT_TRUE(maker.Prepare(limits_));
  const auto made = maker.Take(limits_);
  ASSERT_TRUE(made);
  const auto dir = sys::OpenAt(AT_FDCWD, directory_.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(dir);
  ASSERT_TRUE(NameScratchImage(made->image, *dir, limits_));
  struct stat named{};
  struct stat held{};
  ASSERT_EQ(::stat((directory_ + "/" + kScratchImageName).c_str(), &named), 0);
  ASSERT_EQ(::fstat(made->image.get(), &held), 0);
  EXPECT_EQ(named.st_ino, held.st_ino);
  EXPECT_EQ(static_cast<Bytes>(named.st_size), limits_.disk);
}

TEST_F(ScratchMakerTest, ItIsNotNamedWhereTheDiskHasNoRoomForItAnyMore) {
  ScratchMaker maker(images());
  ASSERT_TRUE(maker.Prepare(limits_));
  const auto made = maker.Take(limits_);
  ASSERT_TRUE(made);
  const auto dir = sys::OpenAt(AT_FDCWD, directory_.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(dir);
  Limits more = limits_;  // as if so much had been taken meanwhile
  more.disk = uint64_t{1} << 60;
  const auto named = NameScratchImage(made->image, *dir, more);
  ASSERT_FALSE(named);
  EXPECT_EQ(named.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/" + kScratchImageName));
}

TEST_F(ScratchMakerTest, AnotherSizeIsNotGivenAndReplacesTheFirst) {
  ScratchMaker maker(images());
  Limits larger = limits_;
  larger.disk *= 2;
  ASSERT_TRUE(maker.Prepare(limits_));
  EXPECT_FALSE(maker.Take(larger));
  EXPECT_TRUE(maker.Prepare(larger).value());
  EXPECT_FALSE(maker.Take(limits_));
  EXPECT_TRUE(maker.Take(larger));
}

TEST_F(ScratchMakerTest, WhatIsNotTakenLeavesNothing) {
  {
    ScratchMaker maker(images());
    ASSERT_TRUE(maker.Prepare(limits_));
    ASSERT_TRUE(maker.Take(limits_)) << "the empty image is there from here on";
    ASSERT_TRUE(maker.Prepare(limits_));
  }
  while (::wait(nullptr) > 0) {  // the worker finishes what it is at
  }
  EXPECT_TRUE(AwaitNoLoops()) << Loops();
  for (const auto& entry : std::filesystem::directory_iterator(images())) {
    EXPECT_TRUE(entry.path().filename().string().starts_with("empty-")) << entry;
  }
}

TEST_F(ScratchMakerTest, FailureIsNoLayerAndNotTheEndOfTheMaker) {
  ScratchMaker maker(images());
  Limits impossible = limits_;
  impossible.disk = 4096;
  ASSERT_TRUE(maker.Prepare(impossible));
  EXPECT_FALSE(maker.Take(impossible));
  ASSERT_TRUE(maker.Prepare(limits_));
  EXPECT_TRUE(maker.Take(limits_));
}

}  // namespace
}  // namespace cay::engine::native
