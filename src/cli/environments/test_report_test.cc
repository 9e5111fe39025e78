#include "cli/environments/test_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TestReport, AnOptionalProgramThatIsNotThereIsNoFailure) {
  EXPECT_EQ(JudgeTest(false, true, 0), TestVerdict::kPassed);
  EXPECT_EQ(JudgeTest(true, true, 0), TestVerdict::kPassed);
  EXPECT_EQ(JudgeTest(false, true, 127), TestVerdict::kFailed);
  EXPECT_EQ(JudgeTest(true, true, 127), TestVerdict::kAbsent);
  EXPECT_EQ(JudgeTest(true, true, 1), TestVerdict::kFailed);
  EXPECT_EQ(JudgeTest(true, false, 127), TestVerdict::kFailed);
  EXPECT_EQ(JudgeTest(false, false, 0), TestVerdict::kFailed);
}

EnvironmentOutcome Outcome() {
  return {
      .name = "one",
      .tests = {
          {.command = "true",
           .verdict = TestVerdict::kPassed,
           .end = {},
           .output = "fine",
           .took = Millis(40)},
          {.command = "gcloud --version", .verdict = TestVerdict::kAbsent, .end = {}, .output = {}},
          {.command = "x",
           .verdict = TestVerdict::kFailed,
           .end = "exited with 3",
           .output = "first\n\x1B[31mred\x1B[0m\n\n",
           .took = Millis(12'340)}}};
}

TEST(TestReport, ALineForEachTestAndTheOutputOfThoseThatFailed) {
  const std::string text = RenderTests(Outcome());
  EXPECT_THAT(text, HasSubstr("one\n  passed   0.0s  true\n"));
  EXPECT_THAT(text, HasSubstr("absent   0.0s  gcloud --version\n"));
  EXPECT_THAT(text, HasSubstr("failed  12.3s  x\n    it exited with 3\n    | first\n    | red\n"));
  EXPECT_THAT(text, Not(HasSubstr("fine")));
  EXPECT_THAT(text, Not(HasSubstr("\x1B")));
}

TEST(TestReport, OnlyTheLastLinesAreShown) {
  EnvironmentOutcome outcome{.name = "one", .tests = {{.command = "x", .end = {}, .output = {}}}};
  for (int i = 0; i < 30; ++i) outcome.tests[0].output += "line " + std::to_string(i) + "\n";
  const std::string text = RenderTests(outcome);
  EXPECT_THAT(text, Not(HasSubstr("| line 19\n")));
  EXPECT_THAT(text, HasSubstr("| line 20\n"));
  EXPECT_THAT(text, HasSubstr("| line 29\n"));
}

TEST(TestReport, SumsUp) {
  EXPECT_EQ(SumOf({}), "0 passed, 0 failed");
  EXPECT_EQ(SumOf({Outcome(), Outcome()}), "2 passed, 2 failed, 2 not in this build");
  JsonWriter json;
  WriteTests(json, Outcome());
  EXPECT_THAT(json.text(), HasSubstr(R"("passed":1,"failed":1,"absent":1)"));
  EXPECT_THAT(json.text(), HasSubstr(R"("result":"failed","end":"exited with 3")"));
}

}  // namespace
}  // namespace cay::cli
