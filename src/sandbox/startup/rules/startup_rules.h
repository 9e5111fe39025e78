// Startup rules: which process starts with a sandbox, and how it is tested.
//
//   std::optional<StartupPlan> plan = TRY(PlanStartup(spec, base.name, base.process.get()));
//   if (NoteCheck(report, *plan->check, result, started_unix_ms)) …      // the status has changed
//
// The defaults and the counting are those of Docker's HEALTHCHECK. Pure.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "sandbox/startup.h"
#include "sandbox/types.h"
#include "template/oci/image_config.h"

namespace cay::sandbox {

inline constexpr size_t kMaxStartupWords = 1024;
inline constexpr Bytes kMaxStartupBytes = 128 * kKiB;  // of all words
// Shorter intervals of an image are this long: a test is a process each time.
inline constexpr Millis kShortestCheckInterval{1000};

// What a client asks for, before it is known what the image says. kInvalidArgument.
Result<void> CheckStartupAsked(const SandboxSpec& spec);

// Nothing: none was asked for. `image`: null for what is no image. kInvalidArgument where nobody
// says what is to be started, or the image's stop signal is none; kLimitTooHigh.
Result<std::optional<StartupPlan>> PlanStartup(const SandboxSpec& spec,
                                               const std::string& template_name,
                                               const templates::oci::ProcessConfig* image);

// Nothing: the image is not tested.
std::optional<CheckPlan> PlanCheck(const templates::oci::ProcessConfig& image);

// The sandbox starts, or starts anew: its process is to be started.
void RenewStartup(SandboxView& view);
// What is told of one that does not run: its process does not either, and nothing is tested.
void SettleStartup(SandboxView& view);

// Adds a result. True: the status is another one.
bool NoteCheck(CheckReport& report, const CheckPlan& plan, CheckResult result,
               int64_t started_unix_ms);
// From the end of a test, or from the start, to the next one.
Millis PauseBeforeCheck(const CheckPlan& plan, CheckStatus status, Millis since_start);

}  // namespace cay::sandbox
