#include "guest/files/file_view.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <thread>

#include "guest/files/test_tree.h"

namespace cay::guest {
namespace {

using FileViewTest = TestTree;

TEST_F(FileViewTest, AbsoluteSymlinkLeadsToTheRootOfTheViewAndNotOfTheMachine) {
  MakeDir("/etc");
  Put("/etc/hostname", "inside");
  ASSERT_EQ(::symlink("/etc", (path_ + "/link").c_str()), 0);
  const auto opened = view_.OpenForReading("/link/hostname");
  ASSERT_TRUE(opened);
  std::string text(16, '\0');
  EXPECT_EQ(::read(opened->fd.get(), text.data(), text.size()), 6);
  EXPECT_EQ(text.substr(0, 6), "inside");
}

TEST_F(FileViewTest, DotDotStaysAtTheRoot) {
  Put("/a", "x");
  EXPECT_TRUE(view_.Stat("/../../../../a", Follow::kYes));
  EXPECT_EQ(view_.Stat("/../../etc/passwd", Follow::kYes).error().code(), ErrorCode::kNotFound);
}

TEST_F(FileViewTest, PathsThatCannotBeAreRefusedWithTheReason) {
  const auto message = [&](const std::string& path) {
    const auto result = view_.Stat(path, Follow::kYes);
    EXPECT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_EQ(result.error().fault(), Fault::kCaller);
    return result.error().message();
  };
  EXPECT_EQ(message(""), "the path is empty");
  EXPECT_EQ(message("a/b"), "the path \"a/b\" is not absolute");
  EXPECT_EQ(message(std::string("/a\0b", 4)), "the path \"/a\\x00b\" has a NUL in it");
  EXPECT_TRUE(message("/" + std::string(5000, 'x')).ends_with("is longer than 4095 bytes"));
  EXPECT_TRUE(message("/" + std::string(300, 'x')).ends_with("has a name that is too long"));
}

TEST_F(FileViewTest, ReadingWhatIsNoRegularFileNamesWhatItIs) {
  ASSERT_EQ(::mkfifo((path_ + "/fifo").c_str(), 0666), 0);
  MakeDir("/dir");
  ASSERT_EQ(::mknod((path_ + "/socket").c_str(), S_IFSOCK | 0666, 0), 0);
  const auto message = [&](const std::string& path) {
    return view_.OpenForReading(path).error().message();
  };
  EXPECT_EQ(message("/fifo"), "/fifo is a FIFO, not a regular file");
  EXPECT_EQ(message("/dir"), "/dir is a directory, not a regular file");
  EXPECT_EQ(message("/socket"), "/socket is a socket, not a regular file");
}

TEST_F(FileViewTest, RefusedFifoLeavesItsWriterWaiting) {
  ASSERT_EQ(::mkfifo((path_ + "/fifo").c_str(), 0666), 0);
  std::atomic<bool> opened = false;
  std::thread writer([&] {
    const Fd fifo = Fd::Adopt(::open((path_ + "/fifo").c_str(), O_WRONLY | O_CLOEXEC));
    opened = true;
  });
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(view_.OpenForReading("/fifo"));
  EXPECT_FALSE(opened);
  const Fd reader = Fd::Adopt(::open((path_ + "/fifo").c_str(), O_RDONLY | O_CLOEXEC));
  writer.join();
}

TEST_F(FileViewTest, MagicLinksOfProcAreNotFollowed) {
  const FileView host(root_, proc_, temporaries_);
  const Fd real_root = Fd::Adopt(::open("/", O_PATH | O_CLOEXEC));
  const FileView whole(real_root, proc_, temporaries_);
  EXPECT_EQ(whole.Stat("/proc/self/root/etc", Follow::kYes).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(whole.OpenForReading("/proc/self/environ").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(FileViewTest, SymlinkLoopIsAnErrorOfTheCaller) {
  ASSERT_EQ(::symlink("/b", (path_ + "/a").c_str()), 0);
  ASSERT_EQ(::symlink("/a", (path_ + "/b").c_str()), 0);
  EXPECT_EQ(view_.Stat("/a", Follow::kYes).error().code(), ErrorCode::kInvalidArgument);
  const auto link = view_.Stat("/a", Follow::kNo);
  ASSERT_TRUE(link);
  EXPECT_EQ(link->kind, protocol::FileKind::kSymlink);
  EXPECT_EQ(link->link_target, "/b");
}

TEST_F(FileViewTest, StatTellsWhatTheKernelKnows) {
  Put("/f", "12345");
  ASSERT_EQ(::chmod((path_ + "/f").c_str(), 0640), 0);
  const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 7}, {.tv_sec = 1'700'000'000, .tv_nsec = 9}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (path_ + "/f").c_str(), times, 0), 0);
  const auto info = view_.Stat("/f", Follow::kYes);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->size, 5U);
  EXPECT_EQ(info->mode, 0640U);
  EXPECT_EQ(info->uid, ::getuid());
  EXPECT_EQ(info->modified_unix_ns, 1'700'000'000'000'000'009);
}

TEST_F(FileViewTest, DirectoriesAreMadeWithTheirModeAndParentsOnRequest) {
  EXPECT_EQ(view_.MakeDirectory("/a/b/c", 0750, false).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(view_.MakeDirectory("/a/b/c", 0777, true));
  EXPECT_EQ(StatOf("/a/b/c").st_mode & 07777, 0777U);
  EXPECT_TRUE(view_.MakeDirectory("/a/b/c", 0700, true));
  EXPECT_EQ(view_.MakeDirectory("/a/b/c", 0700, false).error().code(), ErrorCode::kAlreadyExists);
  Put("/file", "");
  EXPECT_EQ(view_.MakeDirectory("/file", 0700, true).error().message(),
            "/file is a regular file, not a directory");
}

TEST_F(FileViewTest, ParentsThatAreSymlinksAreFollowed) {
  MakeDir("/real");
  ASSERT_EQ(::symlink("/real", (path_ + "/link").c_str()), 0);
  ASSERT_TRUE(view_.MakeDirectory("/link/x/y", 0755, true));
  EXPECT_TRUE(Exists("/real/x/y"));
}

TEST_F(FileViewTest, MoveRefusesToOverwriteUnlessAsked) {
  Put("/a", "a");
  Put("/b", "b");
  EXPECT_EQ(view_.Move("/a", "/b", false).error().code(), ErrorCode::kAlreadyExists);
  ASSERT_TRUE(view_.Move("/a", "/b", true));
  EXPECT_EQ(Get("/b"), "a");
  EXPECT_FALSE(Exists("/a"));
  MakeDir("/d/sub");
  EXPECT_EQ(view_.Move("/d", "/d/sub/d", false).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(view_.Move("/d/..", "/x", false).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(FileViewTest, ChangedModeNeverHasSetuidOrSetgid) {
  Put("/a", "a");
  EXPECT_FALSE(view_.ChangeMode("/a", 04755));
  EXPECT_FALSE(view_.ChangeMode("/a", 02755));
  ASSERT_TRUE(view_.ChangeMode("/a", 0751));
  EXPECT_EQ(StatOf("/a").st_mode & 07777, 0751U);
}

// The rename-swap in short: while a directory and a symlink to the outside take turns, nothing
// outside is ever seen. Goes on until both were met, on a busy machine too.
TEST_F(FileViewTest, SwappedDirectoryAndSymlinkNeverLeadOutside) {
  std::string outside = ::testing::TempDir() + "/cay-outside-XXXXXX";
  ASSERT_NE(::mkdtemp(outside.data()), nullptr);
  ASSERT_TRUE(WriteFileAtomic(outside + "/secret", "secret", 0644));
  MakeDir("/swap");
  Put("/swap/secret", "inside");
  ASSERT_EQ(::symlink(outside.c_str(), (path_ + "/other").c_str()), 0);
  std::jthread swapper([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      ::renameat2(AT_FDCWD, (path_ + "/swap").c_str(), AT_FDCWD, (path_ + "/other").c_str(),
                  RENAME_EXCHANGE);
    }
  });
  int seen = 0;
  int refused = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while ((seen + refused < 3000 || seen == 0 || refused == 0) &&
         std::chrono::steady_clock::now() < deadline) {
    const auto opened = view_.OpenForReading("/swap/secret");
    if (!opened) {
      ++refused;
      continue;
    }
    std::string text(6, '\0');
    ASSERT_EQ(::read(opened->fd.get(), text.data(), text.size()), 6);
    ASSERT_EQ(text, "inside");
    ++seen;
  }
  EXPECT_GT(seen, 0);
  EXPECT_GT(refused, 0);
  swapper = {};
  EXPECT_TRUE(RemoveTreeAt(AT_FDCWD, outside));
}

}  // namespace
}  // namespace cay::guest
