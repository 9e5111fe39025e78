#include "cli/environments/test_report.h"

#include <algorithm>

#include "base/text.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/steps/build_printer.h"

namespace cay::cli {
namespace {

constexpr size_t kShownLines = 10;

std::string Seconds(Millis took) {
  const int64_t tenths = (took.count() + 50) / 100;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + "s";
}

std::string LastLines(std::string_view output) {
  std::vector<std::string_view> lines = Split(output, '\n');
  while (!lines.empty() && Trim(lines.back()).empty()) lines.pop_back();
  const size_t first = lines.size() - std::min(lines.size(), kShownLines);
  std::string shown;
  for (size_t i = first; i < lines.size(); ++i) shown += "    | " + OutputLineOf(lines[i]) + "\n";
  return shown;
}

}  // namespace

std::string_view VerdictName(TestVerdict verdict) {
  switch (verdict) {
    case TestVerdict::kPassed:
      return "passed";
    case TestVerdict::kFailed:
      return "failed";
    case TestVerdict::kAbsent:
      return "absent";
  }
  return "failed";
}

size_t EnvironmentOutcome::Count(TestVerdict verdict) const {
  return static_cast<size_t>(std::ranges::count(tests, verdict, &TestOutcome::verdict));
}

std::string RenderTests(const EnvironmentOutcome& outcome) {
  std::string text = outcome.name + "\n";
  for (const TestOutcome& test : outcome.tests) {
    const std::string took = Seconds(test.took);
    text += "  " + std::string(VerdictName(test.verdict)) +
            std::string(took.size() < 7 ? 7 - took.size() : 1, ' ') + took + "  " +
            OneLine(test.command) + "\n";
    if (test.verdict == TestVerdict::kFailed)
      text += "    it " + test.end + "\n" + LastLines(test.output);
  }
  return text;
}

void WriteTests(JsonWriter& json, const EnvironmentOutcome& outcome) {
  json.BeginObject()
      .Member("name", outcome.name)
      .Member("passed", outcome.Count(TestVerdict::kPassed))
      .Member("failed", outcome.Count(TestVerdict::kFailed))
      .Member("absent", outcome.Count(TestVerdict::kAbsent))
      .Key("tests")
      .BeginArray();
  for (const TestOutcome& test : outcome.tests) {
    json.BeginObject()
        .Member("command", test.command)
        .Member("result", VerdictName(test.verdict))
        .Member("end", test.end)
        .Member("output", test.output)
        .Member("duration_ms", test.took.count())
        .EndObject();
  }
  json.EndArray().EndObject();
}

std::string SumOf(const std::vector<EnvironmentOutcome>& outcomes) {
  size_t passed = 0;
  size_t failed = 0;
  size_t absent = 0;
  for (const EnvironmentOutcome& outcome : outcomes) {
    passed += outcome.Count(TestVerdict::kPassed);
    failed += outcome.Count(TestVerdict::kFailed);
    absent += outcome.Count(TestVerdict::kAbsent);
  }
  std::string sum = std::to_string(passed) + " passed, " + std::to_string(failed) + " failed";
  if (absent != 0) sum += ", " + std::to_string(absent) + " not in this build";
  return sum;
}

TestVerdict JudgeTest(bool optional, bool exited, int exit_code) {
  if (exited && exit_code == 0) return TestVerdict::kPassed;
  return optional && exited && exit_code == kExitNotFound ? TestVerdict::kAbsent
                                                          : TestVerdict::kFailed;
}

}  // namespace cay::cli
