// What came of a run: from the command's end and the sandbox's figures to an exit code, a line for
// people, and the object of `--json`. Pure.
//
// Its fields are those of the API's executions wherever they mean the same:
//
//   {"stdout":"…","stdout_gap":null,"stderr":"…","stderr_gap":null,"stdout_bytes":3,"stderr_bytes":0,"stdout_truncated":false,
//    "stderr_truncated":false,"truncated_by":null,"exit_code":1,"signal":null,"timed_out":false,"oom_killed":false,
//    "disk_full":false,"file_size_exceeded":false,"cpu_time_exceeded":false,"output_cut":false,"duration_ms":52,"cpu_ms":31,
//    "success":false,"memory_peak_bytes":9437184,"memory_peak":9437184,"not_enforced":[]}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/units.h"
#include "cli/network/run_network.h"
#include "engine/engine.h"
#include "sandbox/processes/output_room.h"

namespace cay::cli {

// Output held for --json: the beginning and the end of what is more than the limit.
class HeldOutput {
 public:
  static constexpr size_t kDefaultLimit = 1 << 20;

  explicit HeldOutput(size_t limit = kDefaultLimit) : bytes_(limit) {}

  void Append(std::string_view bytes) {
    if (!bytes_.Append(bytes)) lost_ += bytes.size();  // no memory
  }
  // Bytes that were lost before they came here (a ring that overran), or for want of memory.
  void AddLost(uint64_t bytes) { lost_ += bytes; }
  uint64_t lost() const { return lost_; }
  uint64_t written() const { return bytes_.written(); }
  // Valid until the next Append.
  sandbox::KeptText kept() const {
    bytes_.Settle();
    return bytes_.Text(0, bytes_.written());
  }

 private:
  mutable sandbox::HeldBytes bytes_;  // kept() puts its end in order
  uint64_t lost_ = 0;
};

struct StageTime {
  std::string name;
  uint64_t us = 0;
};

struct RunResult {
  int exit_code = 0;                     // of the process `cay run`: what ExitCode() says
  std::optional<int> command_exit_code;  // of a command that ended by itself
  std::optional<int> signal;             // that ended the command
  bool timed_out = false;
  bool oom_killed = false;
  bool disk_full = false;
  bool file_size_exceeded = false;
  bool cpu_time_exceeded = false;
  bool output_cut = false;         // what the command left running still held its output open
  uint64_t duration_ms = 0;        // of the command, its start included
  std::optional<uint64_t> cpu_ms;  // of everything in the sandbox
  std::optional<Bytes> memory_peak;
  HeldOutput out;
  HeldOutput err;
  std::vector<engine::NotEnforced> not_enforced;
  RunFlows network;
  std::vector<std::string> published;  // where, with the ports that were chosen
  std::vector<StageTime> stages;       // in the order of time; shown with --timing
  std::optional<Error> error;          // Cay's own failure: then there was no command's end
};

// 0–255 of the command, 128 + signal, 124 for a timeout, as shells say it.
int ExitCode(int command_exit_code, std::optional<int> signal, bool timed_out);

// The object of --json, on one line with a newline. Output that is not UTF-8 is in "stdout_base64"
// beside "stdout". With `timing` it has "timing_us", an object of stages; of Cay's own failure
// "error", and Cay's exit code.
std::string RenderJson(const RunResult& result, bool timing);

// A table of stages with their sum, for --timing.
std::string RenderTiming(const std::vector<StageTime>& stages);

// The line for people about output that was cut, and not by a timeout.
inline constexpr std::string_view kOutputCutNote =
    "output cut: what the command left running still writes to it";

// The lines for people about an unusual end: "timed out after 2s", "killed: out of memory (limit
// 512m)", "the disk is full (limit 64m)".
std::vector<std::string> RenderNotes(const RunResult& result, const engine::Limits& limits,
                                     Millis timeout);

}  // namespace cay::cli
