// What starts with a sandbox: the process that its creator asked for, as an image's ENTRYPOINT and
// CMD say it, and what an image's HEALTHCHECK says of that process.
//
// That is not what rules/health.h calls health: there it is how near a sandbox is to its limits,
// here it is what a test of the image's own found.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace cay::sandbox {

// As a client asks for it. The first word is looked up in PATH.
struct AskedEntrypoint {
  enum class Kind : uint8_t { kLeftOut, kNone, kImages, kOwn };
  Kind kind = Kind::kLeftOut;
  std::vector<std::string> argv{};  // of kOwn; empty: no entrypoint, and the command stands alone
  friend bool operator==(const AskedEntrypoint&, const AskedEntrypoint&) = default;
};

// HEALTHCHECK, with what an image leaves out filled in: Docker's defaults.
struct CheckPlan {
  std::vector<std::string> argv{};
  Millis interval{30'000};
  Millis timeout{30'000};
  Millis start_period{0};  // since the start, in which what fails is not counted
  Millis start_interval{5000};
  uint32_t retries = 3;
  friend bool operator==(const CheckPlan&, const CheckPlan&) = default;
};

// Settled at the create.
struct StartupPlan {
  std::vector<std::string> command{};  // at least one word
  uint32_t stop_signal = 15;           // of Linux
  std::optional<CheckPlan> check{};
  friend bool operator==(const StartupPlan&, const StartupPlan&) = default;
};

// kFailed: it could not be started. kLost: nobody knows how it ended.
enum class StartupState : uint8_t { kStarting, kRunning, kExited, kFailed, kLost };
inline constexpr std::array<std::string_view, 5> kStartupStateNames = {"starting", "running",
                                                                       "exited", "failed", "lost"};
constexpr std::string_view StartupStateName(StartupState state) {
  return kStartupStateNames[static_cast<size_t>(state)];
}

// The process that was started with the sandbox's last start.
struct Startup {
  StartupPlan plan{};
  StartupState state = StartupState::kStarting;
  uint64_t process = 0;        // as clients name it; 0: there is none yet, or it failed
  uint64_t guest_process = 0;  // … and as its guest does
  std::string reason{};        // of kFailed and kLost
  std::optional<int32_t> exit_code{};
  std::optional<uint32_t> signal{};
  int64_t started_unix_ms = 0;
  int64_t ended_unix_ms = 0;
  bool begun = false;  // not kept: somebody of this server is at starting it
  friend bool operator==(const Startup&, const Startup&) = default;
};

// What became of starting it.
struct StartupBegin {
  uint64_t process = 0;  // 0: it failed
  uint64_t guest_process = 0;
  int64_t unix_ms = 0;
  std::string reason{};  // of the failure
};

// How a process of a sandbox ended, which may be the one above.
struct StartupEnd {
  uint64_t process = 0;
  StartupState state = StartupState::kExited;  // or kLost
  std::string reason{};
  std::optional<int32_t> exit_code{};
  std::optional<uint32_t> signal{};
  int64_t unix_ms = 0;
};

enum class CheckStatus : uint8_t { kStarting, kHealthy, kUnhealthy };
inline constexpr std::array<std::string_view, 3> kCheckStatusNames = {"starting", "healthy",
                                                                      "unhealthy"};
constexpr std::string_view CheckStatusName(CheckStatus status) {
  return kCheckStatusNames[static_cast<size_t>(status)];
}

inline constexpr size_t kMaxCheckOutput = 4096;  // of each; the beginning is kept
inline constexpr size_t kMaxCheckLog = 5;

struct CheckResult {
  int64_t started_unix_ms = 0;
  int64_t ended_unix_ms = 0;
  int32_t exit_code = 0;  // 0: healthy; -1: it took too long, or could not be run
  std::string output{};   // both streams; may be no text
  bool output_truncated = false;
};

// What the tests found since the sandbox's last start.
struct CheckReport {
  CheckStatus status = CheckStatus::kStarting;
  uint32_t failing_streak = 0;
  std::vector<CheckResult> log{};  // the last kMaxCheckLog, the oldest first
};

}  // namespace cay::sandbox
