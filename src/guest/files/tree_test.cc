#include <algorithm>

#include "guest/files/test_tree.h"
#include "guest/files/tree_lister.h"
#include "guest/files/tree_remover.h"

namespace cay::guest {
namespace {

class TreeTest : public TestTree {
 protected:
  Result<std::vector<std::string>> List(const std::string& path, const ListOptions& options) {
    TreeLister lister = TRY(TreeLister::Open(view_, path, options));
    std::vector<protocol::FileInfo> entries;
    while (TRY(lister.Next(16, entries))) {
    }
    std::vector<std::string> paths;
    for (const protocol::FileInfo& entry : entries) paths.push_back(entry.path);
    std::ranges::sort(paths);
    return paths;
  }
  Result<void> Remove(const std::string& path) {
    TreeRemover remover = TRY(TreeRemover::Begin(view_, path));
    while (TRY(remover.Step(64))) {
    }
    return {};
  }
};

using Paths = std::vector<std::string>;

TEST_F(TreeTest, ListingGoesAsDeepAsAsked) {
  MakeDir("/t/a/b/c");
  Put("/t/f", "");
  Put("/t/a/g", "");
  EXPECT_EQ(List("/t", {.depth = 1}), (Paths{"a", "f"}));
  EXPECT_EQ(List("/t", {.depth = 2}), (Paths{"a", "a/b", "a/g", "f"}));
  EXPECT_EQ(List("/t", {.depth = 9}), (Paths{"a", "a/b", "a/b/c", "a/g", "f"}));
}

TEST_F(TreeTest, ListingShowsSymlinksAndDoesNotFollowThem) {
  MakeDir("/t");
  MakeDir("/other/x");
  ASSERT_EQ(::symlink("/other", (path_ + "/t/link").c_str()), 0);
  EXPECT_EQ(List("/t", {.depth = 5}), (Paths{"link"}));
  EXPECT_EQ(List("/t/link", {.depth = 5}), (Paths{"x"}));
}

TEST_F(TreeTest, ListingKeepsNamesThatAreNoText) {
  MakeDir("/t");
  Put("/t/a\xff\n", "");
  EXPECT_EQ(List("/t", {}), (Paths{"a\xff\n"}));
}

TEST_F(TreeTest, MoreEntriesThanAllowedIsAnErrorAfterThose) {
  MakeDir("/t");
  for (int i = 0; i < 40; ++i) Put("/t/" + std::to_string(i), "");
  EXPECT_EQ(List("/t", {.depth = 1, .max_entries = 40})->size(), 40U);
  EXPECT_EQ(List("/t", {.depth = 1, .max_entries = 39}).error().code(), ErrorCode::kLimitTooHigh);
}

TEST_F(TreeTest, ListingAFileOrNothingSaysSo) {
  Put("/f", "");
  EXPECT_EQ(List("/f", {}).error().message(), "/f is a regular file, not a directory");
  EXPECT_EQ(List("/g", {}).error().code(), ErrorCode::kNotFound);
}

TEST_F(TreeTest, TreeOfFourThousandLevelsIsListedAsFarAsPathsGoAndRemoved) {
  MakeDir("/t");
  MakeDeep("/t", 4096);
  EXPECT_EQ(List("/t", {.depth = 1000})->size(), 1000U);
  EXPECT_EQ(List("/t", {.depth = 5000}).error().code(), ErrorCode::kLimitTooHigh);
  ASSERT_TRUE(Remove("/t"));
  EXPECT_FALSE(Exists("/t"));
}

TEST_F(TreeTest, RemovingFollowsNoSymlink) {
  MakeDir("/keep");
  Put("/keep/file", "x");
  MakeDir("/t/sub");
  ASSERT_EQ(::symlink("/keep", (path_ + "/t/sub/link").c_str()), 0);
  ASSERT_EQ(::symlink("/keep", (path_ + "/toplink").c_str()), 0);
  ASSERT_TRUE(Remove("/t"));
  ASSERT_TRUE(Remove("/toplink"));
  EXPECT_EQ(Get("/keep/file"), "x");
  EXPECT_FALSE(Exists("/t"));
  EXPECT_FALSE(Exists("/toplink"));
}

TEST_F(TreeTest, OddFilesAreRemoved) {
  MakeDir("/t/empty");
  ASSERT_EQ(::mkfifo((path_ + "/t/fifo").c_str(), 0), 0);
  ASSERT_EQ(::mknod((path_ + "/t/socket").c_str(), S_IFSOCK, 0), 0);
  Put("/t/sparse", "");
  ASSERT_EQ(::truncate((path_ + "/t/sparse").c_str(), 1LL << 40), 0);
  ASSERT_TRUE(Remove("/t"));
  EXPECT_FALSE(Exists("/t"));
}

TEST_F(TreeTest, RemovingTheRootOrNothingIsRefused) {
  EXPECT_EQ(Remove("/").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Remove("/t/..").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Remove("/nothing").error().code(), ErrorCode::kNotFound);
}

TEST_F(TreeTest, WideTreeIsRemovedInSteps) {
  for (int i = 0; i < 20; ++i) {
    const std::string dir = "/t/" + std::to_string(i);
    MakeDir(dir);
    for (int j = 0; j < 20; ++j) Put(dir + "/" + std::to_string(j), "");
  }
  auto remover = TreeRemover::Begin(view_, "/t");
  ASSERT_TRUE(remover);
  int steps = 0;
  for (Result<bool> more = true; more && *more; ++steps) {
    more = remover->Step(10);
    ASSERT_TRUE(more) << more.error().message();
  }
  EXPECT_GT(steps, 40);
  EXPECT_FALSE(Exists("/t"));
}

}  // namespace
}  // namespace cay::guest
