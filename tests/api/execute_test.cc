// Commands to their end: as one answer, and as events.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/json/parse.hpp>
#include <thread>

#include "api_fixture.h"
#include "base/encoding.h"
#include "base/os/fd.h"
#include "base/os/file.h"

namespace cay::testing {
namespace {

using ::testing::HasSubstr;

class ExecuteApi : public ApiFixture {
 protected:
  void SetUp() override {
    ApiFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    path_ = CreatePath();
  }
  Reply Execute(const std::string& body) { return Post(path_ + "/execute", body); }
  std::vector<SseEvent> Stream(const std::string& body) {
    const Reply reply = Call("POST", path_ + "/execute", body, {{"Accept", "text/event-stream"}});
    EXPECT_EQ(reply.Header("Content-Type"), "text/event-stream") << reply.body;
    return ParseSse(reply.body);
  }
  std::string path_;
};

TEST_F(ExecuteApi, ACommandGivesItsOutputAndItsEnd) {
  const Reply reply = Execute(R"({"command":["sh","-c","echo out; echo err >&2; exit 3"]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Text("stdout"), "out\n");
  EXPECT_EQ(reply.Text("stderr"), "err\n");
  EXPECT_EQ(reply.Number("exit_code"), 3);
  EXPECT_TRUE(reply.json().at("signal").is_null());
  EXPECT_FALSE(reply.json().at("success").as_bool());
  EXPECT_EQ(reply.Number("stdout_bytes"), 4);
  EXPECT_FALSE(reply.json().at("stdout_truncated").as_bool());
}

TEST_F(ExecuteApi, ALineIsTheShells) {
  const Reply reply = Execute(
      R"({"command":"echo $A | tr a-z A-Z; pwd; kill -9 $$","env":{"A":"x"},
      "workdir":"outputs"})");
  EXPECT_EQ(reply.Text("stdout"), "X\n/workspace/outputs\n");
  EXPECT_EQ(reply.Text("signal"), "SIGKILL");
  EXPECT_TRUE(reply.json().at("exit_code").is_null());
}

TEST_F(ExecuteApi, ProcessorTimeIsLimitedAndTold) {
  const Reply reply = Execute(R"({"command":["sh","-c","while :; do :; done"],"cpu_time":1})");
  EXPECT_EQ(reply.Text("signal"), "SIGXCPU");
  EXPECT_TRUE(reply.json().at("cpu_time_exceeded").as_bool());
  const Reply several = Execute(R"({"commands":["while :; do :; done"],"cpu_time":"1s"})");
  EXPECT_TRUE(several.json().at("cpu_time_exceeded").as_bool());
  EXPECT_FALSE(Execute(R"({"command":"exit 1"})").json().at("cpu_time_exceeded").as_bool());
  EXPECT_EQ(Execute(R"({"command":"true","cpu_time":0.5})").status, 422);
  const std::string limited = CreatePath(R"({"cpu_time_limit":"1m"})");
  EXPECT_EQ(Get(limited).json().at("limits").at("cpu_time").to_number<int>(), 60);
  EXPECT_EQ(Post(limited + "/execute", R"({"command":"ulimit -t"})").Text("stdout"), "60\n");
}

TEST_F(ExecuteApi, TheEnvironmentFollowsTheUser) {
  const auto who = [&](const std::string& more) {
    return Execute(R"({"command":["sh","-c","echo $HOME $USER $LOGNAME"])" + more + "}")
        .Text("stdout");
  };
  EXPECT_EQ(who(""), "/home/user user user\n");
  EXPECT_EQ(who(R"(,"user":"root")"), "/root root root\n");
  EXPECT_EQ(who(R"(,"user":"root","env":{"HOME":"/data"})"), "/data root root\n");
}

TEST_F(ExecuteApi, ALineRunsInBashWhereThereIsOne) {
  if (::access("/bin/bash", X_OK) != 0) GTEST_SKIP() << "this machine has no bash";
  EXPECT_EQ(Execute(R"({"command":"[[ ab == a* ]] && echo yes"})").Text("stdout"), "yes\n");
  EXPECT_EQ(Execute(R"({"command":["sh","-c","echo $0"]})").Text("stdout"), "sh\n");
  // And is told so.
  const Reply together = Execute(R"({"commands":["echo $0",["true"]]})");
  const auto& results = together.json().at("results").as_array();
  const std::string shell(results[0].at("command").as_array()[0].as_string());
  EXPECT_EQ(shell + "\n", results[0].at("stdout").as_string());
  EXPECT_EQ(results[1].at("command").as_array().size(), 1U);
  EXPECT_NE(shell, "/bin/sh");
}

TEST_F(ExecuteApi, WhatIsNoTextIsGivenInBase64) {
  const Reply reply = Execute(
      R"({"command":["sh","-c","printf %s $1 $A; pwd","",{"base64":"Yf8="}],"env":{"A":{"base64":"/g=="}},)"
      R"("workdir":{"base64":"ZP8="}})");
  EXPECT_EQ(reply.Text("stdout_base64"), EncodeBase64("a\xff\xfe/workspace/d\xff\n"));
  EXPECT_EQ(Execute(R"({"command":{"base64":"cHJpbnRmIP8="}})").Text("stdout_base64"), "/w==");
  ExpectProblem(Execute(R"({"command":["true",{"base64":"!"}]})"), 400, "invalid_argument");
}

TEST_F(ExecuteApi, AWorkingDirectoryIsMade) {
  const Reply made = Execute(R"({"command":"pwd; touch here","workdir":"new/one"})");
  EXPECT_EQ(made.Text("stdout"), "/workspace/new/one\n");
  EXPECT_EQ(made.Number("exit_code"), 0);
  EXPECT_EQ(Execute(R"({"command":["true"],"workdir":"/etc/passwd/x"})").status, 422);
}

TEST_F(ExecuteApi, StdinIsGivenAndClosed) {
  EXPECT_EQ(Execute(R"({"command":["cat"],"stdin":"hello"})").Text("stdout"), "hello");
  EXPECT_EQ(Execute(R"({"command":["cat"],"stdin":{"base64":"/w=="}})").Text("stdout_base64"),
            "/w==");
  EXPECT_EQ(Execute(R"({"command":["cat"]})").Text("stdout"), "");
}

TEST_F(ExecuteApi, TimeIsUpIsAResult) {
  const Reply reply = Execute(R"({"command":["sleep","60"],"timeout":"200ms"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(reply.json().at("timed_out").as_bool());
  EXPECT_FALSE(reply.json().at("success").as_bool());
  ExpectProblem(Execute(R"({"command":"true","timeout":"9999h"})"), 422, "limit_too_high");
}

TEST_F(ExecuteApi, OutputOverTheMaximumSaysSo) {
  const Reply reply =
      Execute(R"({"command":"head -c 100000 /dev/zero | tr '\\0' a","max_output":"1k"})");
  EXPECT_EQ(reply.Text("stdout"),
            std::string(512, 'a') + "\n[98976 bytes omitted]\n" + std::string(512, 'a'));
  EXPECT_EQ(reply.Number("stdout_bytes"), 100'000);
  EXPECT_TRUE(reply.json().at("stdout_truncated").as_bool());
  EXPECT_EQ(reply.json().at("stdout_gap").at("at").as_int64(), 512);
  EXPECT_EQ(reply.json().at("stdout_gap").at("bytes").as_int64(), 98'976);
  EXPECT_TRUE(reply.json().at("stderr_gap").is_null());
  EXPECT_EQ(reply.Text("truncated_by"), "max_output");
  ExpectProblem(Execute(R"({"command":"true","max_output":"1g"})"), 422, "limit_too_high");
}

// All of them together are within the maximum: of the first the end makes room for that of the
// last.
TEST_F(ExecuteApi, OfSeveralCommandsTheBeginningAndTheEndAreKept) {
  const Reply reply = Execute(
      R"({"commands":["printf first; printf %01000d 0","printf %01000d 1","echo last"],"max_output":"100"})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const std::string all = reply.Text("stdout");
  EXPECT_TRUE(all.starts_with("first000"));
  EXPECT_TRUE(all.ends_with("001last\n")) << all;
  const auto& results = reply.json().at("results").as_array();
  EXPECT_TRUE(results.at(0).at("stdout_truncated").as_bool());
  EXPECT_TRUE(results.at(1).at("stdout_truncated").as_bool());
  EXPECT_FALSE(results.at(2).at("stdout_truncated").as_bool());
  EXPECT_EQ(results.at(2).at("stdout").as_string(), "last\n");
}

TEST_F(ExecuteApi, WhatCannotBeStartedIs422) {
  ExpectProblem(Execute(R"({"command":["no-such-program"]})"), 422, "command_not_found");
  ExpectProblem(Execute(R"({"command":["/etc/passwd"]})"), 422, "not_executable");
  const Reply streamed = Call("POST", path_ + "/execute", R"({"command":["no-such-program"]})",
                              {{"Accept", "text/event-stream"}});
  ExpectProblem(streamed, 422, "command_not_found");
}

TEST_F(ExecuteApi, FilesAreWrittenFirstAndCommandsRunInOrder) {
  const Reply reply = Execute(R"({"files":{"src/a.txt":"one","b.bin":{"base64":"AAE="}},
      "commands":["cat src/a.txt",["wc","-c","b.bin"],"exit 7","echo never"]})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto& results = reply.json().at("results").as_array();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0].at("stdout"), "one");
  EXPECT_EQ(results[1].at("stdout"), "2 b.bin\n");
  EXPECT_EQ(reply.Number("exit_code"), 7);
  EXPECT_FALSE(reply.json().at("success").as_bool());
  EXPECT_EQ(reply.Text("stdout"), "one2 b.bin\n");
}

TEST_F(ExecuteApi, AfterAFailureItGoesOnWhenToldTo) {
  const Reply reply = Execute(R"({"commands":[["nope"],"false","echo end"],
      "continue_on_error":true})");
  const auto& results = reply.json().at("results").as_array();
  ASSERT_EQ(results.size(), 3U) << reply.body;
  EXPECT_EQ(results[0].at("exit_code"), 127);
  EXPECT_EQ(reply.Number("exit_code"), 0);
  EXPECT_FALSE(reply.json().at("success").as_bool());
}

// Calls Execute in a thread, and kills the sandbox's guest once its command has made the file "on".
class WithDyingGuest : public ExecuteApi {
 protected:
  Reply ExecuteAndDie(const std::string& body, const http::Headers& headers = {}) {
    Reply reply;
    std::thread caller([&] { reply = Call("POST", path_ + "/execute", body, headers); });
    const auto is_on = [&] { return Get(path_ + "/files/stat?path=on").status == 200; };
    EXPECT_TRUE(Eventually(is_on));
    // The guest does one thing after the other: what it had in hand when it said so has been sent
    // by now.
    EXPECT_TRUE(is_on());
    KillGuest(path_.substr(path_.rfind('/') + 1));
    caller.join();
    return reply;
  }
  static void ExpectLost(const boost::json::value& outcome) {
    EXPECT_EQ(outcome.at("state"), "lost");
    EXPECT_EQ(outcome.at("reason"), "signalled: SIGKILL");
    EXPECT_EQ(outcome.at("fault"), "machine");
    EXPECT_TRUE(outcome.at("exit_code").is_null());
    EXPECT_EQ(outcome.at("success"), false);
  }
};

TEST_F(WithDyingGuest, ACommandThatIsLostIsAnOutcomeWithAReasonAndItsOutput) {
  const Reply reply = ExecuteAndDie(R"({"command":"echo on; echo on > on; exec sleep 600"})");
  EXPECT_EQ(reply.status, 200);
  ExpectLost(reply.json());
  EXPECT_EQ(reply.Text("stdout"), "on\n");
}

TEST_F(WithDyingGuest, WhatHadFinishedBeforeIsAnswered) {
  const Reply reply = ExecuteAndDie(
      R"({"commands":["echo done","echo on; echo on > on; exec sleep 600","echo never"],
          "continue_on_error":true})");
  EXPECT_EQ(reply.status, 200);
  ExpectLost(reply.json());
  const auto& results = reply.json().at("results").as_array();
  ASSERT_EQ(results.size(), 2U) << reply.body;
  EXPECT_EQ(results[0].at("stdout"), "done\n");
  EXPECT_EQ(results[0].at("state"), "exited");
  EXPECT_TRUE(results[0].at("fault").is_null());
  ExpectLost(results[1]);
  EXPECT_EQ(reply.Text("stdout"), "done\non\n");
}

TEST_F(WithDyingGuest, EventsEndWithTheOutcome) {
  const Reply reply = ExecuteAndDie(R"({"command":"echo on; echo on > on; exec sleep 600"})",
                                    {{"Accept", "text/event-stream"}});
  const auto events = ParseSse(reply.body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().type, "exited");
  ExpectLost(boost::json::parse(events.back().data));
  EXPECT_EQ(Joined(events, "stdout"), "on\n");
}

TEST_F(ExecuteApi, LargeOutputIsAnsweredWhole) {
  const Reply reply = Execute(R"({"command":"seq 1 200000","max_output":"2m"})");
  std::string expected;
  for (int i = 1; i <= 200'000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(reply.Text("stdout") == expected);
  EXPECT_TRUE(reply.json().at("truncated_by").is_null());
  const Reply bytes = Execute(R"({"command":"head -c 300000 /dev/zero | tr '\\0' '\\377'"})");
  EXPECT_EQ(bytes.Text("stdout_base64"), EncodeBase64(std::string(300'000, '\xff')));
  const Reply controls = Execute(R"({"command":"head -c 300000 /dev/zero | tr '\\0' '\\1'"})");
  EXPECT_TRUE(controls.Text("stdout") == std::string(300'000, '\x01'));
}

TEST_F(ExecuteApi, EventsBeginWithStartedAndEndWithExactlyOneEnd) {
  const auto events = Stream(R"({"command":"echo one; echo two >&2; exit 4"})");
  ASSERT_GE(events.size(), 4U);
  EXPECT_EQ(events.front().type, "started");
  EXPECT_EQ(events.back().type, "exited");
  EXPECT_EQ(boost::json::parse(events.back().data).at("exit_code"), 4);
  EXPECT_EQ(Joined(events, "stdout"), "one\n");
  EXPECT_EQ(Joined(events, "stderr"), "two\n");
  EXPECT_EQ(std::ranges::count(events, "exited", &SseEvent::type), 1);
}

TEST_F(ExecuteApi, EventsOfLargeOutputAreComplete) {
  const auto events = Stream(R"({"command":"seq 1 200000"})");
  std::string expected;
  for (int i = 1; i <= 200'000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(Joined(events, "stdout") == expected);
  EXPECT_EQ(std::ranges::count(events, "gap", &SseEvent::type), 0);
}

TEST_F(ExecuteApi, CharactersThatAreCutByAPieceAreWhole) {
  const auto cut = Stream(R"({"command":"printf '\\342'; sleep 0.2; printf '\\202\\254'"})");
  EXPECT_EQ(Joined(cut, "stdout"), "\xE2\x82\xAC");
  for (const auto& event : cut) EXPECT_THAT(event.data, ::testing::Not(HasSubstr("base64")));
  const auto no_text = Stream(R"({"command":"printf '\\377'"})");
  EXPECT_EQ(Joined(no_text, "stdout"), "\xFF");
  EXPECT_THAT(no_text[1].data, HasSubstr("base64"));
}

TEST_F(ExecuteApi, EventsOfSeveralCommandsHaveAnEndForEach) {
  const auto events = Stream(R"({"commands":["echo a","nope-nope","echo c"]})");
  EXPECT_EQ(std::ranges::count(events, "started", &SseEvent::type), 2);
  EXPECT_EQ(std::ranges::count(events, "command_exited", &SseEvent::type), 2);
  EXPECT_EQ(events.back().type, "exited");
  EXPECT_EQ(boost::json::parse(events.back().data).at("exit_code"), 127);
}

TEST_F(ExecuteApi, StdinIsStreamedBesideTheEvents) {
  const std::string input(300'000, 'x');
  const auto events = Stream(R"({"command":"wc -c","stdin":")" + input + "\"}");
  EXPECT_EQ(Joined(events, "stdout"), "300000\n");
}

// A client of its own, which sends this request and is gone when it is
// destroyed.
class HastyClient {
 public:
  HastyClient(uint16_t port, const std::string& target, const std::string& accept,
              const std::string& body)
      : socket_(Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = ::htons(port);
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    EXPECT_TRUE(WriteAll(socket_.get(), "POST " + target +
                                            " HTTP/1.1\r\nHost: localhost\r\nAccept: " + accept +
                                            "\r\nContent-Length: " + std::to_string(body.size()) +
                                            "\r\n\r\n" + body));
  }

 private:
  Fd socket_;
};

TEST_F(ExecuteApi, AProcessOutlivesAClientThatGoes) {
  for (const char* accept : {"text/event-stream", "application/json"}) {
    {
      const HastyClient client(
          url().port, path_ + "/execute", accept,
          R"({"command":"touch begun; until [ -e go ]; do sleep 0.05; done; touch ended"})");
      ASSERT_TRUE(Eventually([&] { return Get(path_ + "/files/stat?path=begun").status == 200; }));
    }
    Call("PUT", path_ + "/files?path=go", "");
    EXPECT_TRUE(Eventually([&] { return Get(path_ + "/files/stat?path=ended").status == 200; }))
        << accept;
    Post(path_ + "/execute", R"({"command":"rm begun go ended"})");
  }
}

TEST_F(ExecuteApi, ACommandThatTakesTooMuchMemoryIsToldAsThat) {
  const std::string path = CreatePath(R"({"memory_limit":"64m"})");
  constexpr const char* kGreedy = R"({"command":["python3","-c","x = b'x' * 314572800"]})";
  const Reply whole = Post(path + "/execute", kGreedy);
  ASSERT_EQ(whole.status, 200) << whole.body;
  const auto outcome = [](const boost::json::value& result) {
    EXPECT_TRUE(result.at("oom_killed").as_bool());
    EXPECT_FALSE(result.at("timed_out").as_bool());
    EXPECT_EQ(result.at("signal").as_string(), "SIGKILL");
  };
  outcome(whole.json());
  const auto events =
      ParseSse(Call("POST", path + "/execute", kGreedy, {{"Accept", "text/event-stream"}}).body);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().type, "exited");
  outcome(boost::json::parse(events.back().data));
  const Reply process = Post(path + "/processes", kGreedy);
  outcome(
      Get(path + "/processes/" + std::to_string(process.Number("process_id")) + "/wait").json());
  // The sandbox itself goes on.
  EXPECT_TRUE(Post(path + "/execute", R"({"command":"true"})").json().at("success").as_bool());
}

TEST_F(ExecuteApi, ABadRequestIsRefusedByName) {
  EXPECT_THAT(ExpectProblem(Execute("{}"), 400, "invalid_argument"), HasSubstr("command"));
  EXPECT_THAT(ExpectProblem(Execute(R"({"command":"a","comands":[]})"), 400, "invalid_argument"),
              HasSubstr("comands"));
  ExpectProblem(Execute(R"({"command":"a","files":{"../../../../proc/x/y":"1"}})"), 404,
                "not_found");
  ExpectProblem(Post("/api/sandboxes/aaaaaaaaaaaaaaaaaaaa/execute", R"({"command":"true"})"), 404,
                "not_found");
}

}  // namespace
}  // namespace cay::testing
