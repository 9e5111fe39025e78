// Processes in the background.
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include "api_fixture.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;

class ProcessApi : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    path_ = CreatePath() + "/processes";
  }
  // "…/processes/PID" of a new one.
  std::string Start(const std::string& body) {
    const Reply reply = Post(path_, body);
    EXPECT_EQ(reply.status, 201) << reply.body;
    return path_ + "/" + std::to_string(reply.Number("process_id"));
  }
  std::string State(const std::string& process) { return Get(process).Text("state"); }
  std::string path_;
};

TEST_F(ProcessApi, WhatIsHeldOfOneThatPrintsForEverHasAnEnd) {
  const Reply started =
      Post(path_, R"({"command":["sh","-c","echo first; while :; do echo x; sleep 0.02; done"]})");
  ASSERT_EQ(started.status, 201) << started.body;
  const std::string one = path_ + "/" + std::to_string(started.Number("process_id"));
  const auto events = ParseSse(Get(one + "/output?follow=false").body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().type, "held");
  Call("DELETE", one);
}

TEST_F(ProcessApi, OneThatRunsIsListedFollowedAndEnded) {
  const Reply started = Post(path_, R"({"command":["sh","-c","echo hi; sleep 60"],"tag":"t1"})");
  ASSERT_EQ(started.status, 201) << started.body;
  const std::string process = path_ + "/" + std::to_string(started.Number("process_id"));
  EXPECT_TRUE(
      process.ends_with(started.Header("Location").substr(started.Header("Location").rfind('/'))));
  EXPECT_EQ(State(process), "running");
  EXPECT_EQ(Get(path_).json().at("processes").as_array().at(0).at("tag"), "t1");
  ASSERT_TRUE(Eventually([&] {
    return Joined(ParseSse(Get(process + "/output?follow=false").body), "stdout") == "hi\n";
  }));
  EXPECT_EQ(Call("DELETE", process).status, 204);
  const Reply ended = Get(process + "/wait?timeout=10s");
  EXPECT_EQ(ended.Text("state"), "exited");
  EXPECT_EQ(ended.Text("signal"), "SIGKILL");
}

TEST_F(ProcessApi, ItsTimeIsShownAndItHasNoneUnlessItWasGivenOne) {
  const std::string ends = Start(R"({"command":["sleep","60"],"timeout":"10m"})");
  const std::string stays = Start(R"({"command":["sleep","60"]})");
  const std::string waited_for = Start(R"({"command":["sleep","60"],"background":false})");
  EXPECT_FALSE(Get(ends).json().at("deadline_at").is_null());
  EXPECT_TRUE(Get(stays).json().at("deadline_at").is_null());
  EXPECT_FALSE(Get(waited_for).json().at("deadline_at").is_null());
  EXPECT_LT(Get(waited_for).Text("deadline_at"), Get(ends).Text("deadline_at"));
  EXPECT_EQ(Call("DELETE", ends).status, 204);
  EXPECT_TRUE(Get(ends + "/wait?timeout=10s").json().at("deadline_at").is_null());
}

TEST_F(ProcessApi, KillingItEndsWhatATimeoutEnds) {
  const char* script = R"("command":"(setsid sleep 1000 &) ; sleep 1000; true")";
  const auto left = [&] {
    const Reply counted = Post(path_.substr(0, path_.rfind('/')) + "/execute",
                               R"({"command":"pgrep -x sleep | wc -l"})");
    return counted.Text("stdout");
  };
  const std::string killed = Start("{" + std::string(script) + "}");
  ASSERT_TRUE(Eventually([&] { return left() == "2\n"; }));
  EXPECT_EQ(Call("DELETE", killed).status, 204);
  EXPECT_TRUE(Eventually([&] { return left() == "0\n"; }));
  const std::string timed = Start("{" + std::string(script) + R"(,"timeout":"1s"})");
  ASSERT_TRUE(Eventually([&] { return left() == "2\n"; }));
  EXPECT_TRUE(Eventually([&] { return left() == "0\n"; }));
  EXPECT_TRUE(Get(timed).json().at("timed_out").as_bool());
}

TEST_F(ProcessApi, OutputContinuesWhereAReaderStopped) {
  const std::string process = Start(R"({"command":"printf abcdef"})");
  Get(process + "/wait");
  const auto all = ParseSse(Get(process + "/output").body);
  EXPECT_EQ(Joined(all, "stdout"), "abcdef");
  EXPECT_EQ(all.back().type, "exited");
  EXPECT_EQ(Joined(ParseSse(Get(process + "/output?from=4").body), "stdout"), "ef");
  const Reply resumed = Call("GET", process + "/output", "", {{"Last-Event-ID", "2"}});
  EXPECT_EQ(Joined(ParseSse(resumed.body), "stdout"), "cdef");
  ExpectProblem(Get(process + "/output?from=x"), 400, "invalid_argument");
}

TEST_F(ProcessApi, AsMuchAsIsHeldIsThereFromTheBeginning) {
  // 64 KiB, before anybody reads; the streams in turn.
  const std::string process = Start(R"json({"output_held":65536,"command":["python3","-c",
      "import os\nfor i in range(512): os.write(1, b'o' * 64); os.write(2, b'e' * 64)"]})json");
  Get(process + "/wait");
  const auto events = ParseSse(Get(process + "/output?from=0").body);
  EXPECT_EQ(Joined(events, "stdout"), std::string(32768, 'o'));
  EXPECT_EQ(Joined(events, "stderr"), std::string(32768, 'e'));
}

TEST_F(ProcessApi, WhatTheRingLetGoIsAGap) {
  const std::string process = Start(R"({"command":"head -c 100000 /dev/zero","output_held":4096})");
  Get(process + "/wait");
  const auto events = ParseSse(Get(process + "/output?from=0").body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.front().type, "gap");
  EXPECT_EQ(boost::json::parse(events.front().data).at("to").to_number<int64_t>() +
                static_cast<int64_t>(Joined(events, "stdout").size()),
            100'000);
}

TEST_F(ProcessApi, StdinIsWrittenAndClosed) {
  const std::string process = Start(R"({"command":["cat"],"stdin":true})");
  EXPECT_EQ(Call("POST", process + "/stdin", "one ").status, 204);
  EXPECT_EQ(Call("POST", process + "/stdin?close=true", "two").status, 204);
  EXPECT_EQ(Get(process + "/wait").Number("exit_code"), 0);
  EXPECT_EQ(Joined(ParseSse(Get(process + "/output").body), "stdout"), "one two");
}

TEST_F(ProcessApi, SignalsGoToTheGroup) {
  const std::string process = Start(
      R"({"command":"trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done"})");
  ASSERT_TRUE(Eventually([&] {
    return Joined(ParseSse(Get(process + "/output?follow=false").body), "stdout") == "ready\n";
  }));
  EXPECT_EQ(Post(process + "/signal", R"({"signal":"SIGTERM"})").status, 204);
  EXPECT_EQ(Get(process + "/wait").Number("exit_code"), 5);
  ExpectProblem(Post(process + "/signal", R"({"signal":"SIGNONE"})"), 400, "invalid_argument");
  ExpectProblem(Post(process + "/signal", R"({"signal":65})"), 422, "limit_too_high");
}

TEST_F(ProcessApi, ATerminalCanBeResized) {
  const std::string process = Start(
      R"({"command":"stty size; while [ \"$(stty size)\" = '10 20' ]; do sleep 0.05; done; stty size",
          "terminal":{"rows":10,"columns":20}})");
  ASSERT_TRUE(Eventually([&] {
    return Joined(ParseSse(Get(process + "/output?follow=false").body), "stdout") == "10 20\r\n";
  }));
  EXPECT_EQ(Post(process + "/resize", R"({"rows":30,"columns":40})").status, 204);
  Get(process + "/wait");
  EXPECT_EQ(Joined(ParseSse(Get(process + "/output").body), "stdout"), "10 20\r\n30 40\r\n");
  ExpectProblem(Post(process + "/resize", R"({"rows":0,"columns":40})"), 400, "invalid_argument");
}

TEST_F(ProcessApi, LeftoversAreNamedAndKilled) {
  const std::string process = Start(R"({"command":"setsid sleep 1000 >/dev/null 2>&1 & echo ok"})");
  const Reply ended = Get(process + "/wait");
  ASSERT_EQ(ended.Number("leftover_count"), 1) << ended.body;
  EXPECT_EQ(Post(process + "/kill_leftovers").Number("killed"), 1);
}

TEST_F(ProcessApi, AWaitIsOverWhenItsTimeIs) {
  const std::string process = Start(R"({"command":["sleep","60"]})");
  EXPECT_EQ(Get(process + "/wait?timeout=100ms").Text("state"), "running");
  ExpectProblem(Get(process + "/wait?timeout=100h"), 422, "limit_too_high");
}

TEST_F(ProcessApi, WhatHasEndedIsSaidToHave) {
  const Reply made = Post(path_, R"({"command":["true"]})");
  const std::string one = path_ + "/" + std::to_string(made.Number("process_id"));
  ASSERT_EQ(Get(one + "/wait").Text("state"), "exited");
  for (const Reply& refused :
       {Call("DELETE", one), Post(one + "/signal", R"({"signal":"TERM"})")}) {
    EXPECT_THAT(ExpectProblem(refused, 409, "illegal_state"), HasSubstr("has ended"));
    EXPECT_THAT(refused.Text("remedy"), HasSubstr("/processes/"));
  }
  EXPECT_EQ(Get(one).Text("state"), "exited");
}

TEST_F(ProcessApi, WhatIsNotThereIs404) {
  ExpectProblem(Get(path_ + "/999999"), 404, "not_found");
  ExpectProblem(Get(path_ + "/abc"), 404, "not_found");
  ExpectProblem(Get(path_ + "/999999/output"), 404, "not_found");
  ExpectProblem(Call("DELETE", path_ + "/999999"), 404, "not_found");
  ExpectProblem(Post(path_, R"({"command":["no-such-program"]})"), 422, "command_not_found");
  ExpectProblem(Post(path_, "{}"), 400, "invalid_argument");
}

TEST_F(ProcessApi, HistoryStaysWhenTheSandboxStops) {
  const std::string process = Start(R"({"command":"exit 9"})");
  Get(process + "/wait");
  const std::string sandbox = path_.substr(0, path_.rfind('/'));
  ASSERT_EQ(Post(sandbox + "/stop").status, 200);
  const Reply listed = Get(path_);
  ASSERT_EQ(listed.status, 200) << listed.body;
  EXPECT_EQ(listed.json().at("processes").as_array().at(0).at("exit_code"), 9);
  EXPECT_EQ(Get(process).Number("exit_code"), 9);
}

}  // namespace
}  // namespace cay::testing
