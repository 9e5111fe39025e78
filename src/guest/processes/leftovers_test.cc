#include "guest/processes/leftovers.h"

#include <gtest/gtest.h>

namespace cay::guest {
namespace {

TEST(ParseMark, ReadsTheHardLimitOfFileLocks) {
  EXPECT_EQ(
      ParseMark("Limit                     Soft Limit           Hard Limit           Units\n"
                "Max cpu time              unlimited            unlimited            seconds\n"
                "Max file locks            7                    1000007              locks\n"
                "Max pending signals       11                   12                   signals\n"),
      1'000'007U);
}

TEST(ParseMark, IsTheMaximumWhenThereIsNone) {
  EXPECT_EQ(
      ParseMark("Max file locks            unlimited            unlimited            locks\n"),
      UINT64_MAX);
  EXPECT_EQ(ParseMark(""), UINT64_MAX);
  EXPECT_EQ(ParseMark("Max file locks"), UINT64_MAX);
  EXPECT_EQ(ParseMark("Max file locks   5\nMax x 1 2"), UINT64_MAX);
}

}  // namespace
}  // namespace cay::guest
