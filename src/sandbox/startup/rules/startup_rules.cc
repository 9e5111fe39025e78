#include "sandbox/startup/rules/startup_rules.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "template/oci/image_command.h"

namespace cay::sandbox {
namespace {

using Kind = AskedEntrypoint::Kind;
using templates::oci::Healthcheck;
using templates::oci::ProcessConfig;

Result<void> CheckWords(std::string_view what, const std::vector<std::string>& words) {
  if (words.size() > kMaxStartupWords) {
    return Failure(Error::Impossible("\"" + std::string(what) + "\" has more than the maximum of " +
                                     std::to_string(kMaxStartupWords) + " words"));
  }
  for (const std::string& word : words) {
    if (word.find('\0') == std::string::npos) continue;
    return Failure(Error::Invalid("a word of \"" + std::string(what) + "\" has a NUL byte"));
  }
  return {};
}

Bytes SizeOf(const std::vector<std::string>& words) {
  Bytes size = 0;
  for (const std::string& word : words) size += word.size() + 1;
  return size;
}

Result<void> CheckSize(const std::vector<std::string>& words) {
  if (words.size() <= kMaxStartupWords && SizeOf(words) <= kMaxStartupBytes) return {};
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       "the start-up command is over the maximum of " +
                           std::to_string(kMaxStartupWords) + " words and " +
                           FormatBytes(kMaxStartupBytes)));
}

// Docker's unit is the nanosecond, and 0 is its default.
Millis MillisOr(std::chrono::nanoseconds value, Millis otherwise) {
  return value.count() > 0 ? std::chrono::ceil<Millis>(value) : otherwise;
}

std::vector<std::string> TestOf(const Healthcheck& healthcheck, const ProcessConfig& image) {
  const std::vector<std::string>& test = healthcheck.test;
  if (test.size() < 2) return {};
  if (test.front() == "CMD") return {test.begin() + 1, test.end()};
  if (test.front() != "CMD-SHELL") return {};
  std::vector<std::string> argv = image.shell;
  if (argv.empty()) argv = {"/bin/sh", "-c"};
  argv.push_back(test[1]);
  return argv;
}

}  // namespace

Result<void> CheckStartupAsked(const SandboxSpec& spec) {
  TRY(CheckWords("entrypoint", spec.entrypoint.argv));
  TRY(CheckWords("cmd", spec.cmd));
  if (spec.entrypoint.kind != Kind::kNone || spec.cmd.empty()) return {};
  return Failure(Error::Invalid("\"entrypoint\" is false, and \"cmd\" says what to start")
                     .WithRemedy("leave one of them out"));
}

Result<std::optional<StartupPlan>> PlanStartup(const SandboxSpec& spec,
                                               const std::string& template_name,
                                               const ProcessConfig* image) {
  const Kind kind = spec.entrypoint.kind;
  if (kind == Kind::kNone || (kind == Kind::kLeftOut && spec.cmd.empty())) return std::nullopt;
  static const ProcessConfig kNothing;
  const ProcessConfig& said = image != nullptr ? *image : kNothing;
  StartupPlan plan;
  plan.command = templates::oci::ImageCommand(
      said, kind == Kind::kOwn ? std::optional(spec.entrypoint.argv) : std::nullopt, spec.cmd);
  if (plan.command.empty() || plan.command.front().empty()) {
    return Failure(Error::Impossible("there is nothing to start: the template " + template_name +
                                     " says neither an entrypoint nor a command")
                       .WithRemedy(R"(say it, as in "entrypoint": ["sleep", "infinity"])"));
  }
  TRY(CheckSize(plan.command));
  auto signal = templates::oci::ParseStopSignal(said.stop_signal);
  if (!signal) return Failure(std::move(signal).error().WithContext("the image's stop signal"));
  plan.stop_signal = static_cast<uint32_t>(*signal);
  plan.check = PlanCheck(said);
  if (plan.check) TRY(CheckSize(plan.check->argv));
  return plan;
}

std::optional<CheckPlan> PlanCheck(const ProcessConfig& image) {
  if (!image.healthcheck) return std::nullopt;
  const Healthcheck& healthcheck = *image.healthcheck;
  CheckPlan plan;
  plan.argv = TestOf(healthcheck, image);
  if (plan.argv.empty() || plan.argv.front().empty()) return std::nullopt;
  plan.interval = std::max(MillisOr(healthcheck.interval, plan.interval), kShortestCheckInterval);
  plan.timeout = MillisOr(healthcheck.timeout, plan.timeout);
  plan.start_period = MillisOr(healthcheck.start_period, plan.start_period);
  plan.start_interval =
      std::max(MillisOr(healthcheck.start_interval, plan.start_interval), kShortestCheckInterval);
  if (healthcheck.retries > 0) plan.retries = healthcheck.retries;
  return plan;
}

void RenewStartup(SandboxView& view) {
  view.health.reset();
  if (!view.startup) return;
  Startup& startup = *view.startup;
  startup.state = StartupState::kStarting;
  startup.process = startup.guest_process = 0;
  startup.reason.clear();
  startup.exit_code.reset();
  startup.signal.reset();
  startup.started_unix_ms = startup.ended_unix_ms = 0;
  startup.begun = false;
  if (startup.plan.check) view.health.emplace();
}

void SettleStartup(SandboxView& view) {
  if (view.state == SandboxState::kRunning || view.state == SandboxState::kPaused ||
      view.state == SandboxState::kCreating) {
    return;
  }
  view.health.reset();
  if (!view.startup || (view.startup->state != StartupState::kRunning &&
                        view.startup->state != StartupState::kStarting)) {
    return;
  }
  view.startup->state = StartupState::kLost;
  view.startup->reason = view.reason;
}

bool NoteCheck(CheckReport& report, const CheckPlan& plan, CheckResult result,
               int64_t started_unix_ms) {
  const CheckStatus before = report.status;
  const int64_t age_ms = result.started_unix_ms - started_unix_ms;
  const bool is_healthy = result.exit_code == 0;
  report.log.push_back(std::move(result));
  if (report.log.size() > kMaxCheckLog) report.log.erase(report.log.begin());
  if (is_healthy) {
    report.failing_streak = 0;
    report.status = CheckStatus::kHealthy;
  } else if (before != CheckStatus::kStarting || age_ms >= plan.start_period.count()) {
    if (report.failing_streak < UINT32_MAX) ++report.failing_streak;
    if (report.failing_streak >= plan.retries) report.status = CheckStatus::kUnhealthy;
  }
  return report.status != before;
}

Millis PauseBeforeCheck(const CheckPlan& plan, CheckStatus status, Millis since_start) {
  const bool starts = status == CheckStatus::kStarting && since_start < plan.start_period;
  return starts ? plan.start_interval : plan.interval;
}

}  // namespace cay::sandbox
