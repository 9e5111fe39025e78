#include "guest/processes/leftovers.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>

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

constexpr std::string_view kLimits =
    "Limit                     Soft Limit           Hard Limit           Units\n"
    "Max cpu time              5                    6                    seconds\n"
    "Max file size             unlimited            unlimited            bytes\n"
    "Max data size             unlimited            unlimited            bytes\n"
    "Max stack size            8388608              unlimited            bytes\n"
    "Max core file size        1                    1                    bytes\n"
    "Max resident set          unlimited            unlimited            bytes\n"
    "Max processes             96181                96181                processes\n"
    "Max open files            1024                 4096                 files\n"
    "Max locked memory         65536                65536                bytes\n"
    "Max address space         unlimited            unlimited            bytes\n"
    "Max file locks            1000007              1000007              locks\n";

TEST(ParseLimits, ReadsThoseOfCommands) {
  const auto limits = ParseLimits(kLimits);
  ASSERT_TRUE(limits);
  const auto of = [&](int resource) {
    for (const ChildRlimit& limit : *limits) {
      if (limit.resource == resource) return limit.value;
    }
    ADD_FAILURE() << resource;
    return rlimit{};
  };
  EXPECT_EQ(of(RLIMIT_CPU).rlim_cur, 5U);
  EXPECT_EQ(of(RLIMIT_CPU).rlim_max, 6U);
  EXPECT_EQ(of(RLIMIT_STACK).rlim_cur, 8U << 20);
  EXPECT_EQ(of(RLIMIT_STACK).rlim_max, RLIM_INFINITY);
  EXPECT_EQ(of(RLIMIT_NOFILE).rlim_max, 4096U);
  EXPECT_EQ(of(RLIMIT_LOCKS).rlim_max, 1'000'007U);
}

TEST(ParseLimits, OneThatIsMissingOrNoNumberIsAFailure) {
  EXPECT_FALSE(ParseLimits(""));
  EXPECT_FALSE(ParseLimits(kLimits.substr(0, kLimits.rfind("Max file locks"))));
  std::string wrong(kLimits);
  wrong.replace(wrong.find("1024"), 4, "10x4");
  EXPECT_FALSE(ParseLimits(wrong));
}

}  // namespace
}  // namespace cay::guest
