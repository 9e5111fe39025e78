#include "api/rest/process_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace cay::api::rest {
namespace {

using ::testing::HasSubstr;

TEST(ProcessJson, SignalsAreNamesOrNumbers) {
  EXPECT_EQ(*ParseSignal("SIGTERM"), SIGTERM);
  EXPECT_EQ(*ParseSignal("KILL"), SIGKILL);
  EXPECT_EQ(*ParseSignal("15"), 15);
  for (const char* bad : {"", "0", "65", "-9", "SIGNOPE", "sigterm", "9 "}) {
    EXPECT_FALSE(ParseSignal(bad)) << bad;
  }
  EXPECT_EQ(SignalText(SIGKILL), "SIGKILL");
  EXPECT_EQ(SignalText(37), "SIGRTMIN+3");
}

TEST(ProcessJson, AnOutcomeIsAnExitCodeOrASignal) {
  sandbox::ProcessRecord record;
  record.state = sandbox::ProcessState::kExited;
  record.exit_code = 0;
  JsonWriter json;
  json.BeginObject();
  WriteOutcome(json, record);
  json.EndObject();
  EXPECT_THAT(json.text(), HasSubstr(R"("exit_code":0,"signal":null,"timed_out":false)"));
  EXPECT_THAT(json.text(), HasSubstr(R"("success":true)"));
  record.exit_code.reset();
  record.signal = SIGKILL;
  JsonWriter killed;
  killed.BeginObject();
  WriteOutcome(killed, record);
  killed.EndObject();
  EXPECT_THAT(killed.text(), HasSubstr(R"("exit_code":null,"signal":"SIGKILL")"));
  EXPECT_THAT(killed.text(), HasSubstr(R"("success":false)"));
}

TEST(ProcessJson, OutputThatIsNoTextIsBase64Too) {
  JsonWriter text;
  text.BeginObject();
  WriteOutput(text, "stdout", "a\xC3\xA4", false);
  text.EndObject();
  EXPECT_EQ(text.text(), "{\"stdout\":\"a\xC3\xA4\"}");
  JsonWriter bytes;
  bytes.BeginObject();
  WriteOutput(bytes, "stdout", "a\xFF", false);
  bytes.EndObject();
  EXPECT_EQ(bytes.text(), "{\"stdout\":\"a\uFFFD\",\"stdout_base64\":\"Yf8=\"}");
}

TEST(ProcessJson, WhatWasCutInTheMiddleOfACharacterIsStillText) {
  JsonWriter json;
  json.BeginObject();
  WriteOutput(json, "stdout", "a\xE2\x82", true);
  json.EndObject();
  EXPECT_EQ(json.text(), R"({"stdout":"a"})");
}

TEST(ProcessJson, ATerminalHasASize) {
  const auto size_of = [](std::string_view text) {
    return ReadTerminalSize(*ParseJson(text), "terminal");
  };
  EXPECT_EQ(*size_of(R"({"rows":10,"columns":20})"), (protocol::TerminalSize{10, 20}));
  EXPECT_FALSE(size_of(R"({"rows":65536})"));
  EXPECT_FALSE(size_of(R"({"row":1})"));
  EXPECT_FALSE(size_of("true"));
}

}  // namespace
}  // namespace cay::api::rest
