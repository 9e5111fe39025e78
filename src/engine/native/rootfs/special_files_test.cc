#include "engine/native/rootfs/special_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <string>
#include <utility>

#include "base/os/file.h"
#include "engine/native/ids/filesystem_ids.h"
#include "engine/native/ipc/few_descriptors.h"

namespace cay::engine::native {
namespace {

class SpecialFilesTest : public testing::Test {
 protected:
  SpecialFilesTest() {
    std::string pattern = "/tmp/cay-special-XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~SpecialFilesTest() override { EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, path_)); }

  Fd Top() const { return Fd::Adopt(::open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)); }
  std::string At(const std::string& name) const { return path_ + "/" + name; }
  void MakeFifo(const std::string& name) const { ASSERT_EQ(::mkfifo(At(name).c_str(), 0600), 0); }
  void MakeDirectory(const std::string& name) const {
    ASSERT_TRUE(MakeDirectories(At(name), 0755));
  }
  void MakeSocket(const std::string& name) const {
    const Fd socket = Fd::Adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, At(name).c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }

 private:
  std::string path_;
};

TEST_F(SpecialFilesTest, SocketsAndFifosAreFoundAtAnyDepthAndNothingElse) {
  MakeFifo("fifo");
  MakeDirectory("a/b/c");
  MakeSocket("a/b/c/socket");
  ASSERT_TRUE(WriteFileAtomic(At("a/file"), "x", 0644));
  ASSERT_EQ(::symlink("../fifo", At("a/link").c_str()), 0);
  const auto found = FindSpecialFiles(Top());
  ASSERT_TRUE(found) << found.error().ToString();
  EXPECT_TRUE(found->complete);
  ASSERT_EQ(found->places.size(), 2U);
  for (const Fd& place : found->places) {
    struct stat info{};
    ASSERT_EQ(::fstat(place.get(), &info), 0);
    EXPECT_TRUE(S_ISSOCK(info.st_mode) || S_ISFIFO(info.st_mode));
  }
}

TEST_F(SpecialFilesTest, ASymlinkToADirectoryIsNotFollowed) {
  MakeDirectory("inside");
  ASSERT_EQ(::symlink("/dev", At("inside/out").c_str()), 0);
  ASSERT_EQ(::symlink("..", At("inside/up").c_str()), 0);
  const auto found = FindSpecialFiles(Top());
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->complete);
  EXPECT_TRUE(found->places.empty());
}

TEST_F(SpecialFilesTest, MoreThanTheBoundIsRefused) {
  for (int i = 0; i < 4; ++i) MakeFifo(std::to_string(i));
  const auto found = FindSpecialFiles(Top(), {.found = 3});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(found.error().fault(), Fault::kCaller);
}

TEST_F(SpecialFilesTest, ATreeBeyondTheBoundsIsNotLookedThroughAndSaysSo) {
  for (int i = 0; i < 10; ++i) MakeDirectory(std::to_string(i));
  const auto by_count = FindSpecialFiles(Top(), {.entries = 5});
  ASSERT_TRUE(by_count);
  EXPECT_FALSE(by_count->complete);
  const auto by_time = FindSpecialFiles(Top(), {.time = std::chrono::milliseconds(-1)});
  ASSERT_TRUE(by_time);
  EXPECT_FALSE(by_time->complete);
}

// Its names may be known: for root with the rights of somebody else, for an ordinary user with his
// own.
TEST_F(SpecialFilesTest, ADirectoryThatCanBePassedThroughAndNotListedIsSaid) {
  ASSERT_EQ(::chmod(At("").c_str(), 0755), 0);
  MakeDirectory("inside");
  MakeFifo("inside/fifo");
  const Fd top = Top();
  const auto find = [&top] {
    const FilesystemIds as_somebody(::geteuid() == 0 ? 54'321 : ::geteuid());
    return FindSpecialFiles(top);
  };
  for (const auto& [mode, complete] : {std::pair{0111, false}, {0000, true}}) {
    ASSERT_EQ(::chmod(At("inside").c_str(), static_cast<mode_t>(mode)), 0);
    const auto found = find();
    ASSERT_TRUE(found) << found.error().ToString();
    EXPECT_TRUE(found->places.empty());
    EXPECT_EQ(found->complete, complete) << mode;
  }
}

TEST_F(SpecialFilesTest, WhoHasNoDescriptorsLeftIsToldSo) {
  MakeDirectory("inside");
  MakeFifo("inside/fifo");
  const Fd top = Top();
  for (unsigned more = 0; more < 2; ++more) {
    const FewDescriptors few(more);
    const auto found = FindSpecialFiles(top);
    ASSERT_FALSE(found) << more;
    EXPECT_EQ(found.error().code(), ErrorCode::kResourceExhausted) << more;
  }
}

}  // namespace
}  // namespace cay::engine::native
