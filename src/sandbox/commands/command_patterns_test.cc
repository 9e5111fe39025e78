#include "sandbox/commands/command_patterns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Problem(const std::vector<std::string>& patterns) {
  const auto compiled = CommandPatterns::Compile(patterns);
  return compiled ? "no problem" : compiled.error().message();
}

TEST(CommandPatterns, AreFoundAnywhereInTheCommand) {
  const auto patterns = CommandPatterns::Compile({"miner=(?i)xmrig", "wipe=rm\\s+-rf\\s+/(\\s|$)"});
  ASSERT_TRUE(patterns) << patterns.error().ToString();
  EXPECT_THAT(patterns->Matching({"rm", "-rf", "/"}), ElementsAre("wipe"));
  EXPECT_THAT(patterns->Matching({"/bin/sh", "-c", "cd /; ./XMRig & rm -rf / "}),
              ElementsAre("miner", "wipe"));
  EXPECT_THAT(patterns->Matching({"rm", "-rf", "/workspace"}), IsEmpty());
  EXPECT_THAT(patterns->Matching({}), IsEmpty());
  EXPECT_THAT(CommandPatterns().Matching({"rm", "-rf", "/"}), IsEmpty());
}

TEST(CommandPatterns, SeeBytesAndLines) {
  const auto patterns = CommandPatterns::Compile({"a=x.y", "b=\\xff"});
  EXPECT_THAT(patterns->Matching({"x\ny"}), ElementsAre("a"));
  EXPECT_THAT(patterns->Matching({std::string("\xff")}), ElementsAre("b"));
  EXPECT_THAT(patterns->Matching({std::string("\0x-y", 4)}), ElementsAre("a"));
}

// With an engine that goes back and tries again these take longer than there is time.
TEST(CommandPatterns, TakeTimeInProportionToTheCommand) {
  const auto patterns = CommandPatterns::Compile({"a=(a*)*b$", "b=(x+x+)+y", "c=(.*a){12}z"});
  ASSERT_TRUE(patterns) << patterns.error().ToString();
  EXPECT_THAT(patterns->Matching({std::string(1 << 20, 'a'), std::string(1 << 20, 'x')}),
              IsEmpty());
}

TEST(CommandPatterns, ThatAreNoneAreRefusedInWords) {
  EXPECT_THAT(Problem({"xmrig"}), HasSubstr("no name"));
  EXPECT_THAT(Problem({"=x"}), HasSubstr("its name"));
  EXPECT_THAT(Problem({"a b=x"}), HasSubstr("its name"));
  EXPECT_THAT(Problem({"a="}), HasSubstr("its expression"));
  EXPECT_THAT(Problem({"a=("}), HasSubstr("missing )"));
  EXPECT_THAT(Problem({"a=(x)\\1"}), HasSubstr("\"a=(x)\\1\""));
  EXPECT_THAT(Problem({"a=((a{100}){100}){100}"}), HasSubstr("\"a="));
  EXPECT_THAT(Problem({"a=x", "a=y"}), HasSubstr("another pattern has its name"));
  EXPECT_THAT(Problem({"a=" + std::string(1025, 'x')}), HasSubstr("its expression"));
  EXPECT_THAT(Problem(std::vector<std::string>(65, "a=x")), HasSubstr("64"));
}

}  // namespace
}  // namespace cay::sandbox
