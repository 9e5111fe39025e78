#include "template/layers/layer_tree.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "template/test_directory.h"

namespace cay::templates {
namespace {

// A layer at `layer`, and what must not change at `outside`.
class LayerTreeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dir_.MakeDirectory("layer");
    dir_.MakeDirectory("outside");
    dir_.Write("outside/keep", "kept", 0600);
  }

  LayerTree Open() {
    Result<LayerTree> tree = LayerTree::Open(dir_.At("layer"));
    EXPECT_TRUE(tree.has_value());
    return *std::move(tree);
  }

  TestDirectory dir_;
};

TEST_F(LayerTreeTest, MissingDirectoriesAreMade) {
  ASSERT_TRUE(Open().EnsureDirectory("a/b/c", {.mode = 01777}));
  EXPECT_EQ(dir_.Stat("layer/a").st_mode & 07777, 0755U);
  EXPECT_EQ(dir_.Stat("layer/a/b/c").st_mode & 07777, 01777U);
}

TEST_F(LayerTreeTest, ASymlinkInADirectorysPlaceIsReplacedNotFollowed) {
  dir_.Symlink("layer/dev", "../outside");
  ASSERT_TRUE(Open().EnsureDirectory("dev/shm", {}));
  EXPECT_TRUE(S_ISDIR(dir_.Stat("layer/dev").st_mode));
  EXPECT_FALSE(dir_.Exists("outside/shm"));
}

TEST_F(LayerTreeTest, AFileInADirectorysPlaceIsReplaced) {
  dir_.Write("layer/tmp", "x");
  ASSERT_TRUE(Open().EnsureDirectory("tmp", {.mode = 01777}));
  EXPECT_EQ(dir_.Stat("layer/tmp").st_mode & 07777, 01777U);
}

TEST_F(LayerTreeTest, AKeptDirectoryKeepsItsMode) {
  dir_.MakeDirectory("layer/etc", 0711);
  ASSERT_TRUE(Open().EnsureDirectoryKept("etc", {.mode = 0755}));
  EXPECT_EQ(dir_.Stat("layer/etc").st_mode & 07777, 0711U);
}

TEST_F(LayerTreeTest, AFileIsNotWrittenThroughASymlink) {
  dir_.MakeDirectory("layer/etc");
  dir_.Symlink("layer/etc/passwd", "../../outside/keep");
  ASSERT_TRUE(Open().WriteFile("etc/passwd", "root", {.mode = 0644}));
  EXPECT_EQ(dir_.Read("outside/keep"), "kept");
  EXPECT_EQ(dir_.Read("layer/etc/passwd"), "root");
}

TEST_F(LayerTreeTest, AFileIsNotWrittenThroughAHardLink) {
  dir_.MakeDirectory("layer/etc");
  ASSERT_EQ(::link(dir_.At("outside/keep").c_str(), dir_.At("layer/etc/passwd").c_str()), 0);
  ASSERT_TRUE(Open().WriteFile("etc/passwd", "root", {.mode = 0644}));
  EXPECT_EQ(dir_.Read("outside/keep"), "kept");
  EXPECT_EQ(dir_.Stat("outside/keep").st_mode & 0777, 0600U);
}

TEST_F(LayerTreeTest, AParentThatIsASymlinkIsAnError) {
  dir_.Symlink("layer/etc", "../outside");
  LayerTree tree = Open();
  EXPECT_FALSE(tree.WriteFile("etc/x", "x", {}));
  EXPECT_FALSE(tree.WriteSymlink("etc/y", "x"));
  EXPECT_FALSE(dir_.Exists("outside/x"));
  EXPECT_FALSE(dir_.Exists("outside/y"));
}

TEST_F(LayerTreeTest, DotDotDoesNotLeaveTheLayer) {
  LayerTree tree = Open();
  EXPECT_FALSE(tree.EnsureDirectory("../outside/x", {}));
  EXPECT_FALSE(tree.WriteFile("../outside/x", "x", {}));
  EXPECT_FALSE(dir_.Exists("outside/x"));
}

TEST_F(LayerTreeTest, ReadingFollowsSymlinksInsideOnly) {
  dir_.MakeDirectory("layer/etc");
  dir_.Write("layer/real", "inside");
  dir_.Symlink("layer/etc/a", "/real");
  dir_.Symlink("layer/etc/b", "../../outside/keep");
  LayerTree tree = Open();
  EXPECT_EQ(tree.ReadInside("etc/a", 100).value_or(""), "inside");
  EXPECT_FALSE(tree.ReadInside("etc/b", 100));
}

TEST_F(LayerTreeTest, ReadingAFifoDoesNotWait) {
  ASSERT_EQ(::mkfifo(dir_.At("layer/fifo").c_str(), 0644), 0);
  EXPECT_FALSE(Open().ReadInside("fifo", 100));
}

TEST_F(LayerTreeTest, ReadingALargeFileIsRefusedNotCut) {
  dir_.Write("layer/a", std::string(101, 'x'));
  EXPECT_FALSE(Open().ReadInside("a", 100));
  EXPECT_TRUE(Open().ReadInside("a", 101));
}

}  // namespace
}  // namespace cay::templates
