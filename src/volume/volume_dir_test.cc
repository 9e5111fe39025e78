#include "volume/volume_dir.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "volume/disk/ext4_image.h"

namespace cay::volume {
namespace {

constexpr Bytes kSize = kMinVolume;
constexpr Millis kNotAtAll{0};

class VolumeDir : public testing::Test {
 protected:
  void SetUp() override {
    std::array<char, 64> path{"/tmp/cay-volume-XXXXXX"};
    ASSERT_NE(::mkdtemp(path.data()), nullptr);
    top_ = path.data();
    volume_ = top_ + "/data";
    ASSERT_EQ(::mkdir(volume_.c_str(), 0700), 0);
    const auto made = MakeImage(volume_, kSize);
    ASSERT_TRUE(made) << made.error().ToString();
  }
  void TearDown() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, top_)); }

  Fd Directory() const {
    return sys::OpenAt(AT_FDCWD, volume_.c_str(), O_RDONLY | O_DIRECTORY).value();
  }

  std::string top_;
  std::string volume_;
};

TEST_F(VolumeDir, HasASoundFilesystemOfExactlyItsSizeThatTakesLittle) {
  struct stat info{};
  ASSERT_EQ(::stat((volume_ + "/" + kImageName).c_str(), &info), 0);
  EXPECT_EQ(info.st_size, static_cast<off_t>(kSize));
  EXPECT_LT(ImageUse(Directory()), 1 * kMiB);
  const auto image = sys::OpenAt(Directory().get(), kImageName, O_RDONLY);
  const auto state = ReadExt4State(image.value()).value();
  EXPECT_TRUE(state.is_ext4);
  EXPECT_TRUE(state.clean);
  EXPECT_FALSE(state.has_errors);
  EXPECT_FALSE(state.needs_journal);
  EXPECT_EQ(::access((volume_ + "/mke2fs.log").c_str(), F_OK), -1);
}

TEST_F(VolumeDir, SizesThatNoVolumeHasAreRefused) {
  for (const Bytes size : {Bytes{0}, kMinVolume - 4096, kMinVolume + 1, kMaxVolume + 4096}) {
    const auto checked = CheckVolumeSize(size);
    ASSERT_FALSE(checked) << size;
    EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(CheckVolumeSize(kMinVolume));
  EXPECT_TRUE(CheckVolumeSize(kMaxVolume));
}

TEST_F(VolumeDir, NoMoreIsPromisedThanTheDiskHas) {
  const std::string other = top_ + "/other";
  ASSERT_EQ(::mkdir(other.c_str(), 0700), 0);
  const auto made = MakeImage(other, kMaxVolume);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kResourceExhausted);
}

TEST_F(VolumeDir, WhoWritesHasItAloneAndReadersShareIt) {
  const Fd directory = Directory();
  {
    const auto writer = LockImage(directory, Use::kWrite, kNotAtAll);
    ASSERT_TRUE(writer);
    for (const Use use : {Use::kWrite, Use::kRead}) {
      const auto other = LockImage(directory, use, kNotAtAll);
      ASSERT_FALSE(other);
      EXPECT_EQ(other.error().code(), ErrorCode::kIllegalState);
    }
  }
  const auto reader = LockImage(directory, Use::kRead, kNotAtAll);
  EXPECT_TRUE(LockImage(directory, Use::kRead, kNotAtAll));
  EXPECT_FALSE(LockImage(directory, Use::kWrite, kNotAtAll));
}

TEST_F(VolumeDir, ALockOfARemovedVolumeIsNotGiven) {
  EXPECT_TRUE(LockVolume(volume_, kNotAtAll));
  const auto held = LockVolume(volume_, kNotAtAll);
  const auto busy = LockVolume(volume_, kNotAtAll);
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code(), ErrorCode::kUnavailable);
  const auto none = LockVolume(top_ + "/none", kNotAtAll);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kNotFound);
}

TEST_F(VolumeDir, IsCalledAsItsDirectorySays) {
  EXPECT_EQ(NameOfDirectory("/x/volumes/data"), "data");
  EXPECT_EQ(NameOfDirectory("/x/volumes/@alice+data"), "@alice/data");
  EXPECT_TRUE(IsSameVolume("/x/volumes/data", "/y/data"));
  EXPECT_FALSE(IsSameVolume("/x/volumes/data", "/x/volumes/data2"));
}

// What the kernel notes where it finds an error.
void SetDamaged(const std::string& volume) {
  const Fd image =
      sys::OpenAt(AT_FDCWD, (volume + "/" + kImageName).c_str(), O_RDWR | O_CLOEXEC).value();
  constexpr off_t kStateAt = 1024 + 0x3a;
  unsigned char state = 0;
  ASSERT_EQ(::pread(image.get(), &state, 1, kStateAt), 1);
  state |= 2U;  // EXT4_ERROR_FS
  ASSERT_EQ(::pwrite(image.get(), &state, 1, kStateAt), 1);
}

TEST_F(VolumeDir, ADamagedOneIsNotMountedAndItIsSaidHowToMendIt) {
  SetDamaged(volume_);
  const auto mount = MountVolume(volume_, Use::kWrite, kNotAtAll);
  ASSERT_FALSE(mount);
  EXPECT_EQ(mount.error().code(), ErrorCode::kIo);
  EXPECT_NE(mount.error().ToString().find("e2fsck"), std::string::npos);
}

class MountedVolume : public VolumeDir {
 protected:
  void SetUp() override {
    if (!WhyNoImages().empty()) GTEST_SKIP() << WhyNoImages();
    VolumeDir::SetUp();
  }
};

TEST_F(MountedVolume, IsEmptyAndKeepsWhatWasWritten) {
  {
    const Fd mount = MountVolume(volume_, Use::kWrite).value();
    EXPECT_EQ(::faccessat(mount.get(), "lost+found", F_OK, 0), -1);
    ASSERT_TRUE(GiveTop(mount, 1000));
    const Fd file = sys::OpenAt(mount.get(), "kept", O_WRONLY | O_CREAT, 0644).value();
    ASSERT_TRUE(WriteAll(file.get(), "words"));
  }
  const Fd mount = MountVolume(volume_, Use::kRead).value();
  EXPECT_EQ(ReadFileAt(mount.get(), "kept").value(), "words");
  struct stat info{};
  ASSERT_EQ(::fstat(mount.get(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000U);
  EXPECT_FALSE(sys::OpenAt(mount.get(), "other", O_WRONLY | O_CREAT, 0644));
}

TEST_F(MountedVolume, IsLockedByItsMountAndNotByWhoMadeIt) {
  const Fd directory = Directory();
  std::optional<Fd> mount = MountVolume(volume_, Use::kWrite).value();
  // Nothing of ours is open but the mount.
  EXPECT_FALSE(MountVolume(volume_, Use::kWrite, kNotAtAll));
  EXPECT_FALSE(MountVolume(volume_, Use::kRead, kNotAtAll));
  EXPECT_FALSE(LockImage(directory, Use::kRead, kNotAtAll));
  mount.reset();
  EXPECT_TRUE(MountVolume(volume_, Use::kWrite));
}

TEST_F(MountedVolume, ReadersHaveFilesystemsOfTheirOwn) {
  const Fd one = MountVolume(volume_, Use::kRead).value();
  const Fd other = MountVolume(volume_, Use::kRead, kNotAtAll).value();
  struct stat first{};
  struct stat second{};
  ASSERT_EQ(::fstat(one.get(), &first), 0);
  ASSERT_EQ(::fstat(other.get(), &second), 0);
  EXPECT_NE(first.st_dev, second.st_dev);
  EXPECT_FALSE(MountVolume(volume_, Use::kWrite, kNotAtAll));
}

// As after a crash of the machine: the image is copied while it is mounted, and something is still
// only in its journal.
TEST_F(MountedVolume, AJournalIsReplayedBeforeAnybodyReads) {
  const std::string crashed = top_ + "/crashed";
  ASSERT_EQ(::mkdir(crashed.c_str(), 0700), 0);
  {
    const Fd mount = MountVolume(volume_, Use::kWrite).value();
    ASSERT_TRUE(sys::MkdirAt(mount.get(), "made", 0755));
    const Fd made = sys::OpenAt(mount.get(), "made", O_RDONLY | O_DIRECTORY).value();
    ASSERT_EQ(::fsync(made.get()), 0);
    const std::string copy = "cp " + volume_ + "/image " + crashed + "/image";
    ASSERT_EQ(::system(copy.c_str()), 0);  // NOLINT(cert-env33-c): a fixed command
  }
  const Fd directory = sys::OpenAt(AT_FDCWD, crashed.c_str(), O_RDONLY | O_DIRECTORY).value();
  const auto state = [&] {
    return ReadExt4State(sys::OpenAt(directory.get(), kImageName, O_RDONLY).value()).value();
  };
  ASSERT_TRUE(state().needs_journal);
  const Fd mount = MountVolume(crashed, Use::kRead).value();
  EXPECT_EQ(::faccessat(mount.get(), "made", F_OK, 0), 0);
  EXPECT_FALSE(state().needs_journal);
}

TEST_F(MountedVolume, AFullOneSaysSo) {
  const Fd mount = MountVolume(volume_, Use::kWrite).value();
  const Fd file = sys::OpenAt(mount.get(), "large", O_WRONLY | O_CREAT, 0644).value();
  const std::string piece(1 * kMiB, 'x');
  Bytes written = 0;
  ssize_t got = 0;
  while (written <= kSize && (got = ::write(file.get(), piece.data(), piece.size())) > 0)
    written += static_cast<Bytes>(got);
  EXPECT_LT(got, 0);
  EXPECT_EQ(errno, ENOSPC);
  EXPECT_LE(written, kSize);
  EXPECT_GT(written, kSize / 2);
}

}  // namespace
}  // namespace cay::volume
