#include "cli/frame/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(DescribeUnknownVariables, NamesWhatIsNearlyOneOfOurs) {
  const std::vector<std::string> environment = {"CAY_APIKEY=secret", "CAY_LIMITS_DEFAULT_MEMORY=1g",
                                                "CAY_SOMETHING_ELSE=1", "HOME=/root"};
  const char* key =
      "warning: cay has no environment variable CAY_APIKEY (did you mean CAY_API_KEY?)";
  const char* memory =
      "warning: cay has no environment variable CAY_LIMITS_DEFAULT_MEMORY (did you mean "
      "CAY_LIMITS_DEFAULTS_MEMORY?)";
  EXPECT_THAT(DescribeUnknownVariables(environment, false), ElementsAre(key, memory));
  EXPECT_THAT(
      DescribeUnknownVariables(environment, true),
      ElementsAre(key, memory, "warning: cay has no environment variable CAY_SOMETHING_ELSE"));
}

TEST(DescribeUnknownVariables, SaysNothingOfWhatKubernetesSets) {
  const std::vector<std::string> environment = {
      "CAY_SERVICE_HOST=10.0.0.1", "CAY_SERVICE_PORT=8888", "CAY_SERVICE_PORT_HTTP=8888",
      "CAY_PORT=tcp://x", "CAY_PORT_8888_TCP_ADDR=10.0.0.1"};
  EXPECT_THAT(DescribeUnknownVariables(environment, true), IsEmpty());
}

TEST(DescribeUnknownVariables, SaysItOnOneLine) {
  const std::vector<std::string> environment = {"CAY_ODD\n\x1b[2J=1"};
  const std::vector<std::string> lines = DescribeUnknownVariables(environment, true);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines.front().find_first_of("\n\x1b"), std::string::npos) << lines.front();
}

TEST(DescribeUnknownVariables, SaysNothingOfOurs) {
  const std::vector<std::string> environment = {"CAY_URL=x",     "CAY_API_KEY=x", "CAY_STATE_DIR=x",
                                                "CAY_RUN_DIR=x", "CAY_CONFIG=x",  "CAY_LISTEN=x",
                                                "CAY=x"};
  EXPECT_THAT(DescribeUnknownVariables(environment, true), IsEmpty());
}

}  // namespace
}  // namespace cay::cli
