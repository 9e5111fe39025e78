#include "api/rest/processes/execute_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::api::rest {
namespace {

using ::testing::HasSubstr;

Result<ExecuteRequest> Read(std::string_view text) {
  return ReadExecuteRequest(TRY(ParseJson(text)));
}

TEST(ExecuteRequest, OneCommandOrSeveral) {
  const auto one = Read(R"({"command":["node","--version"],"workdir":"/workspace"})");
  ASSERT_TRUE(one) << one.error().message();
  EXPECT_FALSE(one->several);
  EXPECT_EQ(one->commands.at(0).argv.at(1), "--version");
  EXPECT_EQ(one->options.workdir, "/workspace");
  const auto several =
      Read(R"({"files":{"main.js":"x","b":{"base64":"/w=="}},"commands":["node main.js",["ls"]],
               "timeout":300})");
  ASSERT_TRUE(several) << several.error().message();
  EXPECT_TRUE(several->several);
  EXPECT_EQ(several->commands.at(0).shell, "node main.js");
  EXPECT_EQ(several->commands.at(1).argv.at(0), "ls");
  EXPECT_EQ(several->files.at(1).second, "\xFF");
  EXPECT_EQ(several->options.timeout, Millis(300'000));
}

TEST(ExecuteRequest, WhatIsWrongIsNamed) {
  const auto message = [](std::string_view text) {
    const auto request = Read(text);
    return request ? "no error" : request.error().message();
  };
  EXPECT_THAT(message("{}"), HasSubstr("either"));
  EXPECT_THAT(message(R"({"command":"a","commands":["b"]})"), HasSubstr("either"));
  EXPECT_THAT(message(R"({"commands":[]})"), HasSubstr("\"commands\" is empty"));
  EXPECT_THAT(message(R"({"commands":["a",[1]]})"), HasSubstr("\"commands[1]\"[0]"));
  EXPECT_THAT(message(R"({"command":"a","files":{"x":1}})"), HasSubstr("\"files.x\""));
  EXPECT_THAT(message(R"({"command":"a","files":[]})"), HasSubstr("\"files\""));
  EXPECT_THAT(message(R"({"command":"a","max_output":"17m"})"), HasSubstr("maximum of 16m"));
  EXPECT_THAT(message(R"({"command":"a","shell":true})"), HasSubstr("unknown field \"shell\""));
}

TEST(ExecuteRequest, ACommandThatCannotStartHasTheExitCodeOfShells) {
  EXPECT_EQ(ExitCodeOfStartError({ErrorCode::kCommandNotFound, Fault::kCaller, ""}), 127);
  EXPECT_EQ(ExitCodeOfStartError({ErrorCode::kNotExecutable, Fault::kCaller, ""}), 126);
  EXPECT_FALSE(ExitCodeOfStartError({ErrorCode::kUnavailable, Fault::kMachine, ""}));
}

}  // namespace
}  // namespace cay::api::rest
