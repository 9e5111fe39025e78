#include "guest/files/file_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "archive/directory_walk.h"
#include "guest/files/test_tree.h"
#include "guest/files/tree_lister.h"

namespace cay::guest {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class FileWriterTest : public TestTree {
 protected:
  Result<protocol::FileInfo> Write(const std::string& path, std::string_view content,
                                   const WriteOptions& options = {}) {
    FileWriter writer = TRY(FileWriter::Begin(view_, path, options));
    TRY(writer.Write(content));
    return writer.Finish();
  }
  void Link(const std::string& target, const std::string& path) {
    ASSERT_EQ(::symlink(target.c_str(), (path_ + path).c_str()), 0) << path;
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

TEST_F(FileWriterTest, SymlinkStaysAndItsTargetIsReplaced) {
  MakeDir("/dir/sub");
  MakeDir("/other");
  Put("/dir/target", "old");
  ASSERT_EQ(::chmod((path_ + "/dir/target").c_str(), 0600), 0);
  const ino_t old = StatOf("/dir/target").st_ino;
  Link("/dir/target", "/absolute");
  Link("../target", "/dir/sub/relative");
  Link("dir/sub", "/way");
  Link("/way/relative", "/other/chain");
  for (const char* path : {"/absolute", "/dir/sub/relative", "/way/relative", "/other/chain"}) {
    const auto info = Write(path, path);
    ASSERT_TRUE(info) << path << info.error().message();
    EXPECT_EQ(info->path, path);
    EXPECT_EQ(Get("/dir/target"), path);
    EXPECT_EQ(StatOf("/dir/target").st_mode & 07777, 0600U) << "the mode of what is replaced";
    EXPECT_NE(StatOf("/dir/target").st_ino, old) << "replaced as a whole";
  }
  for (const char* link : {"/absolute", "/dir/sub/relative", "/way", "/other/chain"}) {
    EXPECT_TRUE(S_ISLNK(StatOf(link).st_mode)) << link;
  }
  EXPECT_EQ(CountNames("/dir/sub"), 1U);
  EXPECT_EQ(CountNames("/other"), 1U);
}

TEST_F(FileWriterTest, WhatADanglingSymlinkLeadsToIsMade) {
  MakeDir("/dir");
  Link("dir/new", "/link");
  ASSERT_TRUE(Write("/link", "made"));
  EXPECT_EQ(Get("/dir/new"), "made");
  Link("no/such/file", "/deep");
  EXPECT_EQ(Write("/deep", "x").error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(Write("/deep", "made", {.mode = std::nullopt, .make_parents = true}));
  EXPECT_EQ(Get("/no/such/file"), "made");
}

TEST_F(FileWriterTest, SymlinksStayInsideAndEnd) {
  Link("../../../../../../outside", "/up");
  ASSERT_TRUE(Write("/up", "x"));
  EXPECT_EQ(Get("/outside"), "x");
  Link("two", "/one");
  Link("one", "/two");
  EXPECT_THAT(Write("/one", "x").error().message(), HasSubstr("too many symlinks"));
  Link("/proc/self/oom_score_adj", "/magic");
  EXPECT_FALSE(Write("/magic", "x"));
  MakeDir("/dir");
  Link("dir", "/to-dir");
  Link("dir/", "/slash");
  EXPECT_EQ(Write("/to-dir", "x").error().message(), "/to-dir is a directory, not a regular file");
  EXPECT_FALSE(Write("/slash", "x"));
  EXPECT_THAT(Write("/new/", "x").error().message(), HasSubstr("ends in a slash"));
  EXPECT_EQ(CountNames("/dir"), 0U);
  EXPECT_FALSE(Exists("/new"));
}

// The last link of a chain that is as long as the kernel follows is followed, and no further one.
TEST_F(FileWriterTest, AsManySymlinksAreFollowedAsTheKernelFollows) {
  Put("/0", "old");
  for (int i = 1; i <= 41; ++i) Link(std::to_string(i - 1), "/" + std::to_string(i));
  ASSERT_TRUE(Write("/40", "new"));
  EXPECT_EQ(Get("/0"), "new");
  EXPECT_FALSE(Write("/41", "x"));
}

TEST_F(FileWriterTest, ListingShowsNoTemporaryButWhatSomebodyNamedSo) {
  Put("/.cay-write-0123456789abcdef", "somebody's");
  auto writer = FileWriter::Begin(view_, "/a", {});
  ASSERT_TRUE(writer);
  const auto list = [&] {
    std::vector<std::string> names;
    auto lister = TreeLister::Open(view_, "/", {});
    std::vector<protocol::FileInfo> entries;
    while (lister->Next(100, entries).value_or(false)) {
    }
    for (const auto& entry : entries) names.push_back(entry.path);
    return names;
  };
  EXPECT_EQ(CountNames("/"), 2U);
  EXPECT_EQ(list(), std::vector<std::string>{".cay-write-0123456789abcdef"});
  ASSERT_TRUE(writer->Finish());
  EXPECT_THAT(list(), UnorderedElementsAre("a", ".cay-write-0123456789abcdef"));
}

TEST(TemporariesTest, AnEndedNameIsRememberedUntilManyOthersHaveEnded) {
  Temporaries temporaries;
  const std::string first = temporaries.Take();
  EXPECT_TRUE(temporaries.IsLive(first));
  temporaries.End(first, Temporaries::Fate::kReplaced);
  EXPECT_FALSE(temporaries.IsLive(first));
  EXPECT_FALSE(temporaries.Find("somebody's"));
  for (size_t i = 1; i < Temporaries::kRemembered; ++i) {
    temporaries.End(temporaries.Take(), Temporaries::Fate::kRemoved);
  }
  EXPECT_EQ(temporaries.Find(first), Temporaries::Fate::kReplaced);
  temporaries.End(temporaries.Take(), Temporaries::Fate::kRemoved);
  EXPECT_FALSE(temporaries.Find(first));
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
