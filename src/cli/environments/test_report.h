// What the tests of an environment came to. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "json/json_writer.h"

namespace cay::cli {

enum class TestVerdict : uint8_t {
  kPassed,
  kFailed,
  kAbsent,  // an optional program that this build does not have
};
std::string_view VerdictName(TestVerdict verdict);

struct TestOutcome {
  std::string command;
  TestVerdict verdict = TestVerdict::kFailed;
  std::string end;     // "exited with 1"; empty where it passed
  std::string output;  // of both streams, as far as it was kept
  Millis took{};
};

struct EnvironmentOutcome {
  std::string name;
  std::vector<TestOutcome> tests;

  size_t Count(TestVerdict verdict) const;
};

// A line for each test, and below those that failed the last lines of what they wrote, as a
// terminal may show them.
std::string RenderTests(const EnvironmentOutcome& outcome);
void WriteTests(JsonWriter& json, const EnvironmentOutcome& outcome);
// "12 passed, 1 failed, 1 not in this build".
std::string SumOf(const std::vector<EnvironmentOutcome>& outcomes);

// How a command's end is judged: an optional one whose program is not there (127, as shells say it)
// is no failure.
TestVerdict JudgeTest(bool optional, bool exited, int exit_code);

}  // namespace cay::cli
