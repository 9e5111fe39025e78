#include "cli/run/transfer.h"

#include <gtest/gtest.h>

namespace cay::cli {
namespace {

TEST(PlaceForFile, PutsItIntoADirectoryThatIsThereOrNamedAsOne) {
  EXPECT_EQ(PlaceForFile("a/b.txt", "/w", true), "/w/b.txt");
  EXPECT_EQ(PlaceForFile("a/b.txt", "/w/", true), "/w/b.txt");
  EXPECT_EQ(PlaceForFile("b.txt", "new/", false), "new/b.txt");
}

TEST(PlaceForFile, OtherwiseRenamesIt) {
  EXPECT_EQ(PlaceForFile("a/b.txt", "/w/c.txt", false), "/w/c.txt");
}

}  // namespace
}  // namespace cay::cli
