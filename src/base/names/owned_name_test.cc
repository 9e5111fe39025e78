#include "base/names/owned_name.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

TEST(OwnedName, HasAnOwnerAndAShortName) {
  const auto owned = ParseOwnedName("@team+a@x/data");
  ASSERT_TRUE(owned);
  EXPECT_EQ(owned->owner, "team+a@x");
  EXPECT_EQ(owned->name, "data");
  EXPECT_EQ(TextOf(*owned), "@team+a@x/data");
  for (const char* other : {"data", "@/data", "@a/", "@a/b/c", "@a/UPPER", "@a", "a/b", "@a b/c"})
    EXPECT_FALSE(ParseOwnedName(other)) << other;
}

TEST(OwnedName, EveryNameHasAFileOfItsOwnAndIsFoundFromIt) {
  for (const char* name : {"data", "a.b_c-d", "@alice/data", "@a+b/data", "@a+b+/x"})
    EXPECT_EQ(NameOfOwnedFile(FileOfOwned(name)), name);
  EXPECT_NE(FileOfOwned("@a+b/c"), FileOfOwned("@a/b"));
}

TEST(OwnedName, FilesOfNobodyHaveNoName) {
  for (const char* file : {"", ".", "..", ".making-x", "@alice", "a+b", "@a/b", "UPPER", "@+x"})
    EXPECT_FALSE(NameOfOwnedFile(file)) << file;
}

}  // namespace
}  // namespace cay
