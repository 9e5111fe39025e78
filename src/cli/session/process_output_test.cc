#include "cli/session/process_output.h"

#include <gtest/gtest.h>

#include <csignal>

#include "cli/client/values.h"

namespace cay::cli {
namespace {

ServerEvent Event(std::string type, std::string data) {
  return {std::move(type), std::move(data), ""};
}

TEST(OutputTrackerTest, BytesComeExactlyOnce) {
  OutputTracker tracker(0);
  EXPECT_EQ(tracker.Take(Event("stdout", R"({"seq":0,"text":"hello"})"))->bytes, "hello");
  // Again after a reconnect, with more behind it.
  EXPECT_EQ(tracker.Take(Event("stdout", R"({"seq":0,"text":"hello"})"))->bytes, "");
  const auto piece = tracker.Take(Event("stderr", R"({"seq":3,"text":"lo!!"})"));
  EXPECT_EQ(piece->bytes, "!!");
  EXPECT_FALSE(piece->is_stdout);
  EXPECT_EQ(piece->lost, 0U);
  EXPECT_EQ(tracker.position(), 7U);
}

TEST(OutputTrackerTest, WhatIsMissingIsCounted) {
  OutputTracker tracker(0);
  EXPECT_EQ(tracker.Take(Event("gap", R"({"from":0,"to":100})"))->lost, 100U);
  EXPECT_EQ(tracker.Take(Event("gap", R"({"from":50,"to":120})"))->lost, 20U);
  EXPECT_EQ(tracker.Take(Event("gap", R"({"from":0,"to":10})"))->lost, 0U);
  // Also when the server does not say so.
  const auto piece = tracker.Take(Event("stdout", R"({"seq":130,"text":"x"})"));
  EXPECT_EQ(piece->lost, 10U);
  EXPECT_EQ(piece->bytes, "x");
}

TEST(OutputTrackerTest, WithoutAStartTheFirstPieceSaysIt) {
  OutputTracker tracker(std::nullopt);
  EXPECT_EQ(tracker.Take(Event("stdout", R"({"seq":500,"text":"x"})"))->lost, 0U);
  EXPECT_EQ(tracker.position(), 501U);
}

TEST(OutputTrackerTest, BytesThatAreNoTextComeAsBase64) {
  OutputTracker tracker(0);
  EXPECT_EQ(tracker.Take(Event("stdout", R"({"seq":0,"base64":"/wAB"})"))->bytes,
            std::string("\xFF\x00\x01", 3));
}

TEST(OutputTrackerTest, WhatIsNoOutputIsRefused) {
  for (const char* data : {"", "[]", "{}", R"({"seq":-1,"text":"x"})", R"({"seq":"0"})",
                           R"({"seq":0,"base64":"*"})"}) {
    OutputTracker tracker(0);
    EXPECT_FALSE(tracker.Take(Event("stdout", data))) << data;
  }
  OutputTracker tracker(0);
  EXPECT_FALSE(tracker.Take(Event("gap", R"({"from":5,"to":1})")));
}

Result<int> CodeOf(std::string_view text) {
  return ExitCodeOfEnd(ParseProcessEnd(ParseJsonObject(text).value_or(boost::json::object())));
}

TEST(ProcessEndTest, ExitsAsTheCommandDid) {
  EXPECT_EQ(CodeOf(R"({"exit_code":3,"signal":null})"), 3);
  EXPECT_EQ(CodeOf(R"({"exit_code":null,"signal":"SIGKILL"})"), 128 + SIGKILL);
  EXPECT_EQ(CodeOf(R"({"exit_code":null,"signal":"SIGKILL","timed_out":true})"), 124);
  EXPECT_FALSE(CodeOf(R"({"exit_code":null,"signal":null,"reason":"the sandbox ended"})"));
}

TEST(ProcessEndTest, AnUnusualEndIsExplained) {
  const ProcessEnd end{
      .signal = 9, .timed_out = true, .oom_killed = true, .duration_ms = 2000, .leftover_count = 2};
  EXPECT_EQ(NotesOnEnd(end),
            (std::vector<std::string>{"timed out after 2s", "killed: out of memory",
                                      "it left 2 processes running"}));
  EXPECT_TRUE(NotesOnEnd({.exit_code = 1}).empty());
}

}  // namespace
}  // namespace cay::cli
