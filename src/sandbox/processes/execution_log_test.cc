#include "sandbox/processes/execution_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Line(ExecutionLog detail, const ProcessRecord& record) {
  return FormatLogLine(LogFormat::kText, LogLevel::kInfo, "execution",
                       ExecutionFields(detail, "team", record), 0);
}

ProcessRecord Ended() {
  ProcessRecord record;
  record.id = 3;
  record.sandbox = "box";
  record.command = {"/bin/sh", "-c", "echo $TOKEN it's\nsecret"};
  record.tag = "tests";
  record.state = ProcessState::kExited;
  record.exit_code = 1;
  record.duration_ms = 52;
  record.cpu_ms = 31;
  record.output_end = 4096;
  return record;
}

TEST(ExecutionFields, OfASummaryShowTheProgramAndNotItsArguments) {
  EXPECT_EQ(Line(ExecutionLog::kSummary, Ended()),
            "cay: info: execution owner=team sandbox=box program=/bin/sh process_id=3 exit_code=1 "
            "duration_ms=52 cpu_ms=31 output_bytes=4096\n");
}

TEST(ExecutionFields, InFullHaveTheCommandLineOnOneLine) {
  const std::string line = Line(ExecutionLog::kFull, Ended());
  EXPECT_THAT(line, HasSubstr(R"(command="/bin/sh -c 'echo $TOKEN it'\\''s\u000asecret'")"));
  EXPECT_THAT(line, HasSubstr("tag=tests"));
}

TEST(ExecutionFields, ThatAreNotUtf8StayJson) {
  ProcessRecord record = Ended();
  record.command = {"a\xff"};
  const std::string line = FormatLogLine(LogFormat::kJson, LogLevel::kInfo, "execution",
                                         ExecutionFields(ExecutionLog::kFull, "team", record), 0);
  EXPECT_THAT(line, HasSubstr("\"command\":\"'a\uFFFD'\""));
  EXPECT_THAT(line, Not(HasSubstr("\xff")));
}

TEST(ExecutionFields, SayHowItEnded) {
  ProcessRecord record = Ended();
  record.exit_code.reset();
  record.signal = 9;
  record.timed_out = record.oom_killed = true;
  EXPECT_THAT(Line(ExecutionLog::kSummary, record), HasSubstr("signal=9 timed_out=1 oom_killed=1"));
  record.state = ProcessState::kLost;
  record.signal.reset();
  record.reason = "destroyed";
  EXPECT_THAT(Line(ExecutionLog::kSummary, record), HasSubstr("lost=destroyed"));
  record.state = ProcessState::kRunning;
  EXPECT_THAT(Line(ExecutionLog::kFull, record), Not(HasSubstr("duration")));
}

}  // namespace
}  // namespace cay::sandbox
