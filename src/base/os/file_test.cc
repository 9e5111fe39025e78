#include "base/os/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>

namespace cay {
namespace {

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    std::string pattern = ::testing::TempDir() + "/cay-file-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~FileTest() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(FileTest, WrittenAtomicallyIsReadBack) {
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/a", "content", 0600, true));
  EXPECT_EQ(ReadFile(dir_ + "/a"), "content");
}

TEST_F(FileTest, LongerThanTheBoundIsAnErrorNotATruncation) {
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/a", std::string(5000, 'x'), 0600));
  EXPECT_FALSE(ReadFile(dir_ + "/a", 4999));
  EXPECT_TRUE(ReadFile(dir_ + "/a", 5000));
}

TEST_F(FileTest, RemovedTreeLeavesWhatItsSymlinksPointedTo) {
  std::filesystem::create_directories(dir_ + "/outside");
  ASSERT_TRUE(WriteFileAtomic(dir_ + "/outside/keep", "x", 0600));
  std::filesystem::create_directories(dir_ + "/tree/sub");
  std::filesystem::create_directory_symlink(dir_ + "/outside", dir_ + "/tree/sub/link");
  ASSERT_TRUE(RemoveTreeAt(AT_FDCWD, dir_ + "/tree"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/tree"));
  EXPECT_TRUE(std::filesystem::exists(dir_ + "/outside/keep"));
}

TEST_F(FileTest, TreeOfFourThousandLevelsIsRemoved) {
  ASSERT_EQ(::mkdir((dir_ + "/deep").c_str(), 0700), 0);
  int at = ::open((dir_ + "/deep").c_str(), O_DIRECTORY | O_CLOEXEC);
  for (int i = 0; i < 4096; ++i) {
    ASSERT_EQ(::mkdirat(at, "d", 0700), 0);
    const int next = ::openat(at, "d", O_DIRECTORY | O_CLOEXEC);
    ::close(at);
    at = next;
  }
  ::close(at);
  ASSERT_TRUE(RemoveTreeAt(AT_FDCWD, dir_ + "/deep"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/deep"));
}

TEST_F(FileTest, TreeWithNamesLikeTheRemoversOwnIsRemoved) {
  std::filesystem::create_directories(dir_ + "/tree/.cay-rm-0/x/y");
  std::filesystem::create_directories(dir_ + "/tree/a/b/c");
  ASSERT_TRUE(RemoveTreeAt(AT_FDCWD, dir_ + "/tree"));
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/tree"));
}

TEST_F(FileTest, AnOrdinaryUserRemovesDirectoriesThatForbidIt) {
  ASSERT_EQ(::chmod(dir_.c_str(), 0777), 0);
  const std::string tree = dir_ + "/tree";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) < 0) ::_exit(1);
    std::filesystem::create_directories(tree + "/a/b/c");
    std::filesystem::create_directories(tree + "/closed/d");
    for (const char* path : {"/a/b/c", "/a/b", "/a", "/closed", ""}) {
      ::chmod((tree + path).c_str(), std::string_view(path) == "/closed" ? 0 : 0555);
    }
    ::_exit(RemoveTreeAt(AT_FDCWD, tree) ? 0 : 2);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::filesystem::exists(tree));
}

TEST_F(FileTest, RemovingWhatIsNotThereIsNoError) {
  EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, dir_ + "/none"));
}

TEST_F(FileTest, AMountIsToldByItsId) {
  const Result<uint64_t> own = MountIdOf(AT_FDCWD, dir_.c_str());
  ASSERT_TRUE(own);
  EXPECT_EQ(MountIdOf(AT_FDCWD, (dir_ + "/.").c_str()).value_or(0), *own);
  const Result<uint64_t> proc = MountIdOf(AT_FDCWD, "/proc");
  ASSERT_TRUE(proc);
  EXPECT_NE(*proc, *own);
  EXPECT_EQ(MountIdOf(AT_FDCWD, (dir_ + "/none").c_str()).error().sys_errno(), ENOENT);
}

}  // namespace
}  // namespace cay
