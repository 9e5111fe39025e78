#include "build/cache/step_key.h"

#include <gtest/gtest.h>

namespace cay::build {
namespace {

TEST(StepKey, IsADigestAndTheSameForTheSame) {
  const std::string one = *StepKey("run").Add("argv", std::vector<std::string>{"a", "b"}).Finish();
  EXPECT_TRUE(one.starts_with("sha256:"));
  EXPECT_EQ(one, *StepKey("run").Add("argv", std::vector<std::string>{"a", "b"}).Finish());
}

TEST(StepKey, EachOfItsPartsCounts) {
  const std::string one = *StepKey("run").Add("a", "b").Finish();
  EXPECT_NE(one, *StepKey("copy").Add("a", "b").Finish());
  EXPECT_NE(one, *StepKey("run").Add("b", "b").Finish());
  EXPECT_NE(one, *StepKey("run").Add("a", "c").Finish());
  EXPECT_NE(one, *StepKey("run").Add("a", "b").Add("a", "b").Finish());
}

// What one value holds cannot look like two.
TEST(StepKey, ValuesDoNotRunIntoEachOther) {
  EXPECT_NE(*StepKey("run").Add("a", "b\nc 1 d").Finish(),
            *StepKey("run").Add("a", "b").Add("c", "d").Finish());
  EXPECT_NE(*StepKey("run").Add("argv", std::vector<std::string>{"a b"}).Finish(),
            *StepKey("run").Add("argv", std::vector<std::string>{"a", "b"}).Finish());
  EXPECT_NE(*StepKey("run").Add("argv", std::vector<std::string>{"a"}).Add("env", "").Finish(),
            *StepKey("run").Add("argv", std::vector<std::string>{"a", ""}).Finish());
}

}  // namespace
}  // namespace cay::build
