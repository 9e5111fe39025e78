// What processes are to their users: what is asked for, what is known.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "protocol/process_messages.h"
#include "sandbox/guest_end.h"
#include "sandbox/types.h"

namespace cay::sandbox {

struct ProcessSpec {
  std::vector<std::string> argv;  // or …
  std::string shell;              // … one line for `sh -c`
  std::string workdir;            // relative to the sandbox's; "" is the sandbox's
  std::string user;               // "" is the sandbox's
  StringMap env;
  bool stdin_open = false;  // stays open for writes; otherwise it is empty
  std::optional<protocol::TerminalSize> terminal;
  // Nothing: the configured default, and none in the background. 0: none, where the maximum allows
  // it.
  std::optional<Millis> timeout;
  bool background = false;  // in the background: no client waits for it
  // From the SIGTERM at its timeout to the SIGKILL; nothing: the configured default; 0: killed at
  // once.
  std::optional<Millis> kill_grace;
  // Processor time of each process of it; nothing: the sandbox's. 0: any, where the maximum allows
  // it.
  std::optional<Millis> cpu_time;
  std::optional<Bytes> output_held;  // the ring
  bool kill_leftovers = false;       // when it ends, end what it left behind
  std::string tag;                   // the caller's own word for it; at most 128 bytes
};

enum class ProcessState : uint8_t { kRunning, kExited, kLost };
inline constexpr std::array<std::string_view, 3> kProcessStateNames = {"running", "exited", "lost"};
constexpr std::string_view ProcessStateName(ProcessState state) {
  return kProcessStateNames[static_cast<size_t>(state)];
}

// What is known of a process. Of one that ended: its result.
struct ProcessRecord {
  uint64_t id = 0;  // in its sandbox; ascending
  std::string sandbox;
  int32_t pid = 0;                   // inside
  std::vector<std::string> command;  // the first 4 KiB of it; "…" stands for the rest
  std::string tag;
  bool terminal = false;
  ProcessState state = ProcessState::kRunning;
  std::string reason;                               // of kLost …
  GuestEndKind guest_end = GuestEndKind::kUnknown;  // … and of what kind that was
  std::optional<int32_t> exit_code;
  std::optional<uint32_t> signal;
  bool timed_out = false;
  bool oom_killed = false;
  bool disk_full = false;  // it failed, and the sandbox's disk is full
  bool core_dumped = false;
  bool output_cut = false;
  int64_t started_unix_ms = 0;
  std::optional<int64_t> deadline_unix_ms;  // when its time is over
  int64_t ended_unix_ms = 0;
  uint64_t duration_ms = 0;
  uint64_t cpu_ms = 0;
  uint64_t cpu_limit_ms = 0;         // 0: none
  std::vector<std::string> flagged;  // the names of the patterns of commands.flag that it matches
  Bytes max_rss = 0;
  uint64_t output_end = 0;  // sequence number of its end
  uint64_t leftover_count = 0;
  std::vector<int32_t> leftovers;
};

// The guest refuses more than these.
inline constexpr size_t kMaxRunningPerSandbox = protocol::kMaxRunning;

// See process_verdict.h.
bool FileSizeExceeded(const ProcessRecord& record);
bool CpuTimeExceeded(const ProcessRecord& record);
// It ended by itself, with 0.
bool Succeeded(const ProcessRecord& record);

struct KeeperOptions {
  Millis default_timeout{300'000};
  Millis max_timeout{86'400'000};
  Millis kill_grace{2000};
  Bytes output_held = 1 * kMiB;
  Bytes max_output_held = 16 * kMiB;
  size_t max_running_per_sandbox = kMaxRunningPerSandbox;
  size_t history_per_sandbox = 1000;  // ended processes that are remembered
};

}  // namespace cay::sandbox
