#include "volume/disk/loop_device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <filesystem>

#include "base/os/sys.h"
#include "engine/native/rootfs/scratch.h"

namespace cay::engine::native {
namespace {

// Above those that anybody has here.
constexpr unsigned kFirst = 100'000;

class LoopDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (const std::string why_not = WhyNoDiskScratch(); !why_not.empty()) GTEST_SKIP() << why_not;
    std::string pattern = ::testing::TempDir() + "cay-loop-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    auto dir = sys::OpenAt(AT_FDCWD, directory_.c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(dir);
    dir_ = *std::move(dir);
    limits_.disk = 32 * kMiB;
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  static bool IsThere(unsigned number) {
    return std::filesystem::exists("/sys/block/loop" + std::to_string(number));
  }
  static void Add(unsigned number) {
    const auto control = sys::OpenAt(AT_FDCWD, "/dev/loop-control", O_RDWR);
    ASSERT_TRUE(control);
    ASSERT_GE(::ioctl(control->get(), LOOP_CTL_ADD, number), 0);
  }

  std::string directory_;
  std::optional<Fd> dir_;
  Limits limits_;
};

TEST_F(LoopDeviceTest, AnImageIsFoundOnItsDeviceAndNotOnAnother) {
  ASSERT_TRUE(MakeScratchImage(directory_ + "/images", *dir_, limits_));
  struct stat image{};
  ASSERT_EQ(::stat((directory_ + "/" + kScratchImageName).c_str(), &image), 0);
  EXPECT_FALSE(volume::FindLoopDevice(image, std::nullopt).value());
  std::optional<dev_t> device;
  {
    const auto mount = MountScratchImage(*dir_);
    ASSERT_TRUE(mount) << mount.error().ToString();
    device = volume::LoopDeviceOf(*mount);
    ASSERT_TRUE(device);
    const auto found = volume::FindLoopDevice(image, device).value();
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->starts_with("/dev/loop"));
    EXPECT_EQ(volume::FindLoopDevice(image, std::nullopt).value(), found);
    // One more mount of the same filesystem, and none of it keeps another one from the image.
    const auto read = MountScratchToRead(*dir_, device);
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(volume::LoopDeviceOf(*read), device);
    struct stat other = image;
    ++other.st_ino;
    EXPECT_FALSE(volume::FindLoopDevice(other, device).value());
    EXPECT_FALSE(volume::FindLoopDevice(other, std::nullopt).value());
    EXPECT_FALSE(volume::FindLoopDevice(image, *device + kFirst).value())
        << "there is no such device";
  }
  EXPECT_TRUE(AwaitDetached(*dir_, device));
  EXPECT_FALSE(volume::FindLoopDevice(image, std::nullopt).value());
  EXPECT_FALSE(volume::LoopDeviceOf(*dir_)) << "a disk of the machine's";
}

TEST_F(LoopDeviceTest, SpareOnesAreRemovedTheHighestFirstAndThoseInUseStay) {
  for (unsigned i = 0; i < 4; ++i) ASSERT_NO_FATAL_FAILURE(Add(kFirst + i));
  EXPECT_EQ(volume::CountSpareLoopDevices(kFirst), 4U);
  EXPECT_EQ(volume::RemoveSpareLoopDevices(1, kFirst), 1U);
  EXPECT_FALSE(IsThere(kFirst + 3));
  {
    const std::string path = "/dev/loop" + std::to_string(kFirst + 2);
    const auto opened = sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY);
    ASSERT_TRUE(opened) << opened.error().ToString();
    EXPECT_EQ(volume::RemoveSpareLoopDevices(10, kFirst + 1), 1U) << "who has it open keeps it";
    EXPECT_TRUE(IsThere(kFirst + 2));
    EXPECT_FALSE(IsThere(kFirst + 1));
    EXPECT_TRUE(IsThere(kFirst)) << "it is below";
  }
  EXPECT_EQ(volume::RemoveSpareLoopDevices(10, kFirst), 2U);
  EXPECT_EQ(volume::CountSpareLoopDevices(kFirst), 0U);
}

}  // namespace
}  // namespace cay::engine::native
