#include "guest/files/watched_directories.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace cay::guest {
namespace {

using Where = WatchedDirectories::Where;

class WatchedDirectoriesTest : public ::testing::Test {
 protected:
  WatchedDirectoriesTest() {
    directories_.SetTop(1);
    directories_.Set(2, {.parent = 1, .name = "a"});
    directories_.Set(3, {.parent = 2, .name = "b"});
  }
  // The three events of one rename.
  void Rename(uint32_t cookie, int from, const std::string& name, int to,
              const std::string& new_name, int watch) {
    directories_.BeginRename(cookie, {.parent = from, .name = name});
    EXPECT_EQ(directories_.EndRename(cookie, {.parent = to, .name = new_name}, true),
              (WatchedDirectories::Place{.parent = from, .name = name}));
    directories_.Moved(watch);
  }
  WatchedDirectories directories_;
};

TEST_F(WatchedDirectoriesTest, PathsAreFromTheTop) {
  EXPECT_EQ(directories_.Find(1).path, "");
  EXPECT_EQ(directories_.Find(3).path, "a/b");
  EXPECT_EQ(directories_.Find(9).where, Where::kUnknown);
}

TEST_F(WatchedDirectoriesTest, WhatIsBelowMovesAlong) {
  Rename(7, 1, "a", 1, "c", 2);
  EXPECT_EQ(directories_.Find(3).path, "c/b");
  Rename(8, 2, "b", 1, "d", 3);
  EXPECT_EQ(directories_.Find(3).path, "d");
  EXPECT_EQ(directories_.Find(2).path, "c");
}

TEST_F(WatchedDirectoriesTest, WhatWasNotNamedAgainHasLeft) {
  directories_.BeginRename(7, {.parent = 1, .name = "a"});
  EXPECT_EQ(directories_.Moved(2), Where::kOutside);
  EXPECT_EQ(directories_.Find(3).where, Where::kOutside);
  EXPECT_EQ(directories_.Moved(2), Where::kOutside) << "wherever it goes there";
  directories_.Set(2, {.parent = 1, .name = "back"});
  EXPECT_EQ(directories_.Find(3).path, "back/b");
}

TEST_F(WatchedDirectoriesTest, APlaceChangesWithItsNewName) {
  directories_.BeginRename(7, {.parent = 1, .name = "a"});
  EXPECT_EQ(directories_.Find(3).path, "a/b");
  directories_.EndRename(7, {.parent = 1, .name = "c"}, true);
  EXPECT_EQ(directories_.Find(3).path, "c/b");
  EXPECT_EQ(directories_.Moved(2), Where::kInside);
  EXPECT_EQ(directories_.Find(3).path, "c/b");
}

TEST_F(WatchedDirectoriesTest, WhatComesFromOutsideIsSetAnew) {
  directories_.SetOutside(2);
  Rename(7, 2, "b", 1, "b", 3);
  EXPECT_EQ(directories_.Find(3).where, Where::kOutside);
}

TEST_F(WatchedDirectoriesTest, TwoThatChangeTheirNamesAreToldApart) {
  directories_.Set(4, {.parent = 1, .name = "z"});
  Rename(7, 1, "a", 1, "z", 2);
  EXPECT_EQ(directories_.At({.parent = 1, .name = "z"}), std::nullopt);
  EXPECT_TRUE(directories_.IsAnyAt({.parent = 1, .name = "z"}));
  Rename(8, 1, "z", 1, "a", 4);
  EXPECT_EQ(directories_.Find(2).path, "z");
  EXPECT_EQ(directories_.Find(4).path, "a");
}

TEST_F(WatchedDirectoriesTest, OneThatTookTheOthersPlaceGoesOn) {
  directories_.Set(4, {.parent = 1, .name = "z"});
  Rename(7, 1, "a", 1, "z", 2);
  Rename(8, 1, "z", 1, "c", 2);
  EXPECT_EQ(directories_.Find(3).path, "c/b");
  directories_.Forget(4);
  EXPECT_FALSE(directories_.IsAnyAt({.parent = 1, .name = "z"}));
}

TEST_F(WatchedDirectoriesTest, AWayIsAllPlacesToTheTop) {
  const auto way = directories_.WayTo({.parent = 3, .name = "new"});
  EXPECT_TRUE(way.contains({.parent = 3, .name = "new"}));
  EXPECT_TRUE(way.contains({.parent = 2, .name = "b"}));
  EXPECT_TRUE(way.contains({.parent = 1, .name = "a"}));
  EXPECT_FALSE(way.contains({.parent = 1, .name = "b"}));
}

TEST_F(WatchedDirectoriesTest, OneThatWasSetWhenItsRenameWasHalfToldStaysThere) {
  EXPECT_EQ(directories_.Moved(2), Where::kInside);
  EXPECT_EQ(directories_.Find(2).path, "a");
  EXPECT_FALSE(directories_.EndRename(7, {.parent = 1, .name = "a"}, true));
  EXPECT_EQ(directories_.Moved(2), Where::kInside);
  EXPECT_EQ(directories_.Find(2).path, "a");
  EXPECT_EQ(directories_.Moved(1), Where::kInside) << "the top is where it is";
}

TEST_F(WatchedDirectoriesTest, PlacesThatLeadNowhereOrInACircleAreLost) {
  directories_.Forget(2);
  EXPECT_EQ(directories_.Find(3).where, Where::kLost);
  directories_.Set(2, {.parent = 3, .name = "a"});
  EXPECT_EQ(directories_.Find(3).where, Where::kLost);
}

TEST_F(WatchedDirectoriesTest, OldRenamesMakeWay) {
  for (uint32_t i = 0; i <= WatchedDirectories::kMaxRenames; ++i) {
    EXPECT_TRUE(directories_.BeginRename(i, {.parent = 1, .name = std::to_string(i)}));
  }
  EXPECT_FALSE(directories_.EndRename(0, {.parent = 1, .name = "x"}, false));
  EXPECT_TRUE(directories_.EndRename(1, {.parent = 1, .name = "x"}, false));
  EXPECT_FALSE(directories_.EndRename(1, {.parent = 1, .name = "x"}, false)) << "told already";
  EXPECT_TRUE(directories_.BeginRename(0, {.parent = 1, .name = "a"}));
  bool remembered = true;
  for (uint32_t i = 1; i <= WatchedDirectories::kMaxRenames && remembered; ++i) {
    remembered = directories_.BeginRename(i, {.parent = 1, .name = std::to_string(i)});
  }
  EXPECT_FALSE(remembered) << "that of a directory was forgotten";
}

}  // namespace
}  // namespace cay::guest
