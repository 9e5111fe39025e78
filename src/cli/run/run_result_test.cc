#include "cli/run/run_result.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace cay::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ExitCode, FollowsTheShells) {
  EXPECT_EQ(ExitCode(3, std::nullopt, false), 3);
  EXPECT_EQ(ExitCode(0, 9, false), 137);
  EXPECT_EQ(ExitCode(0, 9, true), 124);
}

TEST(HeldOutput, KeepsTheBeginningAndTheEndAndCountsTheOthers) {
  HeldOutput output(4);
  output.Append("ab");
  EXPECT_EQ(output.kept().bytes, "ab");
  EXPECT_EQ(output.kept().omitted, 0U);
  output.Append("cdef");
  EXPECT_EQ(output.kept().bytes, "abef");
  EXPECT_EQ(output.kept().omitted, 2U);
  output.Append("0123456789");
  EXPECT_EQ(output.kept().bytes, "ab89");
  EXPECT_EQ(output.kept().omitted, 12U);
  output.AddLost(100);
  EXPECT_EQ(output.lost(), 100U);
}

TEST(RenderJson, SaysWherePortsArePublished) {
  RunResult result;
  EXPECT_FALSE(boost::json::parse(RenderJson(result, false)).as_object().contains("published"));
  result.published = {"127.0.0.1:40123:80"};
  const auto object = boost::json::parse(RenderJson(result, false)).as_object();
  ASSERT_EQ(object.at("published").as_array().size(), 1U);
  EXPECT_EQ(object.at("published").as_array()[0].as_string(), "127.0.0.1:40123:80");
}

TEST(RenderJson, HasEveryFieldOnOneLine) {
  RunResult result;
  result.exit_code = 1;
  result.command_exit_code = 1;
  result.out.Append("hi\n");
  std::string text = RenderJson(result, false);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  auto object = boost::json::parse(text).as_object();
  for (const char* key : {"stdout",
                          "stderr",
                          "exit_code",
                          "signal",
                          "timed_out",
                          "oom_killed",
                          "disk_full",
                          "file_size_exceeded",
                          "cpu_time_exceeded",
                          "output_cut",
                          "duration_ms",
                          "cpu_ms",
                          "memory_peak",
                          "memory_peak_bytes",
                          "success",
                          "stdout_bytes",
                          "stderr_bytes",
                          "truncated_by",
                          "stdout_gap",
                          "stderr_gap",
                          "stdout_truncated",
                          "stderr_truncated",
                          "not_enforced"}) {
    EXPECT_TRUE(object.contains(key)) << key;
  }
  EXPECT_EQ(object["stdout"], "hi\n");
  EXPECT_EQ(object["exit_code"], 1);
  EXPECT_TRUE(object["signal"].is_null());
  EXPECT_FALSE(object.contains("timing_us"));
}

TEST(RenderJson, ASignalHasItsNameAndThenThereIsNoExitCode) {
  RunResult result;
  result.exit_code = 124;
  result.signal = 15;
  result.timed_out = true;
  auto object = boost::json::parse(RenderJson(result, false)).as_object();
  EXPECT_EQ(object["signal"], "SIGTERM");
  EXPECT_TRUE(object["exit_code"].is_null());
  EXPECT_EQ(object["success"], false);
}

TEST(RenderJson, PutsWhatIsNotTextInBase64BesideIt) {
  RunResult result;
  result.out.Append("\xff\xfe");
  auto object = boost::json::parse(RenderJson(result, false)).as_object();
  EXPECT_EQ(object["stdout"], "\uFFFD\uFFFD");
  EXPECT_EQ(object["stdout_base64"], "//4=");
  EXPECT_FALSE(object.contains("stderr_base64"));
}

TEST(RenderJson, SaysWhatIsMissingAndStaysTextWhenACharacterWasCutInTwo) {
  RunResult result;
  result.out = HeldOutput(6);
  result.out.Append(
      "\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4");  // half of the second is kept, and of the third
  auto object = boost::json::parse(RenderJson(result, false)).as_object();
  EXPECT_EQ(object["stdout"], "\xC3\xA4\n[4 bytes omitted]\n\xC3\xA4");
  EXPECT_EQ(object["stdout_gap"].at("at"), 3);
  EXPECT_EQ(object["stdout_gap"].at("bytes"), 2);
  EXPECT_EQ(object["stdout_bytes"], 8);
  EXPECT_EQ(object["stdout_truncated"], true);
  EXPECT_TRUE(object["stderr_gap"].is_null());
}

TEST(RenderJson, SaysWhyOutputIsMissing) {
  RunResult result;
  result.out = HeldOutput(6);
  const auto why = [&] {
    return boost::json::parse(RenderJson(result, false)).as_object()["truncated_by"];
  };
  EXPECT_TRUE(why().is_null());
  result.out.Append("0123456789");
  EXPECT_EQ(why(), "max_output");
  result.err.AddLost(100);
  EXPECT_EQ(why(), "memory");
}

TEST(RenderJson, HoldsTheStagesAndTheErrorWhenThereAreSome) {
  RunResult result;
  result.stages = {{"clone", 60}};
  result.error = Error::Invalid("no").WithRemedy("yes");
  auto object = boost::json::parse(RenderJson(result, true)).as_object();
  EXPECT_EQ(object["timing_us"].as_object()["clone"], 60);
  EXPECT_EQ(object["error"].as_object()["code"], "invalid_argument");
  EXPECT_EQ(object["error"].as_object()["detail"], "no");
  EXPECT_EQ(object["error"].as_object()["fault"], "caller");
}

TEST(RenderTiming, SumsTheStages) {
  std::string table = RenderTiming({{"clone", 1060}, {"exec", 3}});
  EXPECT_THAT(table, HasSubstr("clone  1.060\n"));
  EXPECT_THAT(table, HasSubstr("total  1.063\n"));
}

TEST(RenderNotes, SayWhatEndedTheCommandAndTheLimit) {
  RunResult result;
  result.timed_out = result.oom_killed = result.disk_full = result.output_cut = true;
  EXPECT_THAT(RenderNotes(result, engine::Limits(), Millis(2000)),
              ElementsAre("timed out after 2s", "killed: out of memory (limit 512m)",
                          "the sandbox's disk is full (limit 1g)"));
  result.file_size_exceeded = true;
  EXPECT_THAT(RenderNotes(result, engine::Limits(), Millis(2000)),
              ::testing::Contains("a file grew over the limit of 1g (--file-size)"));
  result.cpu_time_exceeded = true;
  EXPECT_THAT(RenderNotes(result, engine::Limits(), Millis(2000)),
              ::testing::Contains("used up its processor time (--cpu-time)"));
  result.timed_out = result.oom_killed = result.disk_full = result.file_size_exceeded =
      result.cpu_time_exceeded = false;
  EXPECT_THAT(RenderNotes(result, engine::Limits(), Millis(2000)), ElementsAre(kOutputCutNote));
}

}  // namespace
}  // namespace cay::cli
