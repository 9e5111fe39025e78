#include "base/os/log.h"

#include <gtest/gtest.h>

namespace cay {
namespace {

TEST(FormatLogLine, WritesFieldsBehindTheMessage) {
  const LogField fields[] = {{"status", 200}, {"path", "/a"}};
  EXPECT_EQ(FormatLogLine(LogFormat::kText, LogLevel::kInfo, "request", fields, 0),
            "cay: info: request status=200 path=/a\n");
}

TEST(FormatLogLine, QuotesWhatWouldForgeAFieldOrALine) {
  const LogField fields[] = {{"path", "/a status=500"}, {"agent", "x\ncay: error: y\""}};
  EXPECT_EQ(FormatLogLine(LogFormat::kText, LogLevel::kInfo, "one\ntwo", fields, 0),
            "cay: info: one two path=\"/a status=500\" agent=\"x\\u000acay: error: y\\\"\"\n");
}

TEST(FormatLogLine, WritesTheTimeFirstWhereItIsAskedFor) {
  EXPECT_EQ(FormatLogLine(LogFormat::kTimedText, LogLevel::kInfo, "ended", {}, 1'769'860'800'042),
            "2026-01-31T12:00:00.042Z cay: info: ended\n");
}

TEST(FormatLogLine, WritesJson) {
  const LogField fields[] = {{"status", 404}, {"path", "/\"x\\"}};
  EXPECT_EQ(
      FormatLogLine(LogFormat::kJson, LogLevel::kWarning, "re\nquest", fields, 1'769'860'800'042),
      "{\"time\":\"2026-01-31T12:00:00.042Z\",\"level\":\"warning\",\"message\":\"re\\u000aquest\","
      "\"status\":404,\"path\":\"/\\\"x\\\\\"}\n");
}

}  // namespace
}  // namespace cay
