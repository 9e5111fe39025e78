#include "cli/frame/limits_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseLimits, ReadsOneLimitALine) {
  const auto limits = ParseLimits(
      "# build jobs\r\n\n  memory_limit=512m\n\tcpu_limit =\t1.5 \nfile_size_limit = \"1g\"");
  ASSERT_TRUE(limits) << limits.error().ToString();
  EXPECT_THAT(*limits,
              ElementsAre(LimitLine{"memory_limit", "512m", 3}, LimitLine{"cpu_limit", "1.5", 4},
                          LimitLine{"file_size_limit", "1g", 5}));
  EXPECT_TRUE(ParseLimits("")->empty());
}

TEST(ParseLimits, SaysInWhichLineWhatIsWrong) {
  const auto wrong = [](std::string_view text) {
    const auto limits = ParseLimits(text);
    return limits ? "nothing" : limits.error().ToString();
  };
  EXPECT_THAT(wrong("\nmemory = 1g\n"), HasSubstr("line 2: there is no limit \"memory\""));
  EXPECT_THAT(wrong("memory_limits = 1g"), HasSubstr("did you mean memory_limit?"));
  EXPECT_THAT(wrong("timeout = 1h"), HasSubstr("cpu_time_limit"));
  EXPECT_THAT(wrong("pids_limit 20"), HasSubstr("line 1: it is not NAME = VALUE"));
  EXPECT_THAT(wrong("pids_limit ="), HasSubstr("no value"));
  EXPECT_THAT(wrong("pids_limit = 1\n\npids_limit = 2"),
              HasSubstr("line 3: pids_limit is there twice, the first time in line 1"));
}

}  // namespace
}  // namespace cay::cli
