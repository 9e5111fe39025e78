#include "cli/session/detach_keys.h"

#include <gtest/gtest.h>

namespace cay::cli {
namespace {

TEST(DetachKeysTest, OnlyBothKeysTogetherDetach) {
  DetachKeys keys;
  EXPECT_EQ(keys.Feed("ls\r"), "ls\r");
  EXPECT_EQ(keys.Feed("\x11"), "\x11");
  EXPECT_EQ(keys.Feed("\x10"), "");
  EXPECT_EQ(keys.Feed("x"), "\x10x");
  EXPECT_EQ(keys.Feed("\x10\x10"), "\x10");
  EXPECT_FALSE(keys.detached());
  EXPECT_EQ(keys.Feed("\x11 and more"), "");
  EXPECT_TRUE(keys.detached());
  EXPECT_EQ(keys.Feed("z"), "");
}

}  // namespace
}  // namespace cay::cli
