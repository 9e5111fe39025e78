#include "cli/copy/progress.h"

#include <gtest/gtest.h>

namespace cay::cli {
namespace {

TEST(ProgressTest, SaysBytesShareRateAndTimeLeft) {
  EXPECT_EQ(FormatProgress("app.tar", 12 * kMiB, 48 * kMiB, Millis(2000), 100),
            "app.tar  12.0 MiB / 48.0 MiB  25%  6.0 MiB/s  7s left");
}

TEST(ProgressTest, WithoutATotalThereIsNoShare) {
  EXPECT_EQ(FormatProgress("x", 2 * kMiB, std::nullopt, Millis(1000), 100),
            "x  2.0 MiB  2.0 MiB/s");
}

TEST(ProgressTest, NothingIsDividedByNothing) {
  EXPECT_EQ(FormatProgress("x", 0, 0, Millis(0), 100), "x  0 B / 0 B  100%");
  EXPECT_EQ(FormatProgress("x", 5, 1, Millis(0), 100), "x  5 B / 1 B  100%");
}

TEST(ProgressTest, ALineIsNoWiderThanTheTerminalAndHoldsNoControls) {
  EXPECT_EQ(FormatProgress("a\x1b[2J", 0, std::nullopt, Millis(0), 10), "a\\x1b[2J  ");
  EXPECT_EQ(FormatProgress(std::string(100, 'n'), 0, std::nullopt, Millis(0), 200).find("...nnn"),
            0U);
}

}  // namespace
}  // namespace cay::cli
