#include "guest/files/file_writer.h"

#include <fcntl.h>

#include <atomic>
#include <thread>

#include "archive/directory_walk.h"
#include "guest/files/test_tree.h"

namespace cay::guest {
namespace {

class FileWriterTest : public TestTree {
 protected:
  Result<protocol::FileInfo> Write(const std::string& path, std::string_view content,
                                   const WriteOptions& options = {}) {
    FileWriter writer = TRY(FileWriter::Begin(view_, path, options));
    TRY(writer.Write(content));
    return writer.Finish();
  }
  size_t CountNames(const std::string& path) {
    const Fd dir = Fd::Adopt(::open((path_ + path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return archive::ReadNames(dir, 1000)->size();
  }
};

TEST_F(FileWriterTest, WrittenFileHasItsContentAndMode) {
  const auto info = Write("/dir/sub/a.txt", "hello", {.mode = 0600, .make_parents = true});
  ASSERT_TRUE(info) << info.error().message();
  EXPECT_EQ(info->size, 5U);
  EXPECT_EQ(info->path, "/dir/sub/a.txt");
  EXPECT_EQ(Get("/dir/sub/a.txt"), "hello");
  EXPECT_EQ(StatOf("/dir/sub/a.txt").st_mode & 07777, 0600U);
  EXPECT_EQ(CountNames("/dir/sub"), 1U);
}

TEST_F(FileWriterTest, ReplacedFileKeepsItsMode) {
  Put("/run.sh", "old");
  ASSERT_EQ(::chmod((path_ + "/run.sh").c_str(), 0755), 0);
  ASSERT_TRUE(Write("/run.sh", "new"));
  EXPECT_EQ(StatOf("/run.sh").st_mode & 07777, 0755U);
  EXPECT_EQ(Get("/run.sh"), "new");
}

TEST_F(FileWriterTest, WriterThatGoesAwayLeavesNothing) {
  Put("/a", "old");
  {
    auto writer = FileWriter::Begin(view_, "/a", {});
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->Write("half"));
    EXPECT_EQ(CountNames("/"), 2U);
  }
  EXPECT_EQ(Get("/a"), "old");
  EXPECT_EQ(CountNames("/"), 1U);
}

TEST_F(FileWriterTest, SymlinkIsReplacedAndItsTargetIsNotWritten) {
  Put("/target", "keep");
  ASSERT_EQ(::symlink("/target", (path_ + "/link").c_str()), 0);
  ASSERT_TRUE(Write("/link", "new"));
  EXPECT_EQ(Get("/target"), "keep");
  EXPECT_TRUE(S_ISREG(StatOf("/link").st_mode));
}

TEST_F(FileWriterTest, SpecialFilesAndDirectoriesAreRefusedByName) {
  ASSERT_EQ(::mkfifo((path_ + "/fifo").c_str(), 0666), 0);
  MakeDir("/dir");
  EXPECT_EQ(Write("/fifo", "x").error().message(), "/fifo is a FIFO, not a regular file");
  EXPECT_EQ(Write("/dir", "x").error().message(), "/dir is a directory, not a regular file");
  EXPECT_EQ(Write("/nowhere/x", "x").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Write("/x", "x", {.mode = 04755}).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(FileWriterTest, ConcurrentReaderSeesTheOldContentOrTheNew) {
  const std::string old_content(100'000, 'o');
  const std::string new_content(200'000, 'n');
  Put("/a", old_content);
  std::atomic<bool> stop = false;
  std::atomic<int> torn = 0;
  std::atomic<int> reads = 0;
  std::thread reader([&] {
    while (!stop) {
      const std::string content = Get("/a");
      if (content != old_content && content != new_content) ++torn;
      ++reads;
    }
  });
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Write("/a", i % 2 == 0 ? new_content : old_content));
  while (reads < 10) std::this_thread::yield();
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace cay::guest
