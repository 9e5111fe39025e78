// What builds of templates are to those who ask for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/string_map.h"
#include "base/units.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// What is asked for, beside the context.
struct BuildSpec {
  static constexpr size_t kMaxNames = 16;
  static constexpr size_t kMaxSecrets = 64;

  std::vector<std::string> names{};  // of the template; an administrator's may be none
  std::string dockerfile{};          // a path in the context; empty: "Dockerfile"
  std::string file_name{};           // that people know it by; empty: its path
  std::string target{};              // a stage; empty: the last
  StringMap args{};
  StringMap labels{};
  StringMap secrets{};     // contents by their ids; never written down
  std::string platform{};  // "linux/arm64"; empty: this machine's
  bool no_cache = false;
  bool pull = false;      // images of FROM are looked at again in their registries
  NetworkSpec network{};  // of its steps
};

// The last four are ends. Interrupted: the server ended meanwhile; what was finished of it is found
// by the same build again.
enum class BuildState : uint8_t { kWaiting, kBuilding, kDone, kFailed, kCancelled, kInterrupted };
inline constexpr size_t kBuildStates = 6;
std::string_view BuildStateName(BuildState state);  // "waiting" …
inline bool HasEnded(BuildState state) { return state >= BuildState::kDone; }

struct BuiltTemplate {
  std::string name{};
  Bytes size = 0;
};

// A RUN that did not succeed.
struct FailedStep {
  std::string step{};  // the instruction
  std::string stage{};
  uint32_t line = 0;  // of the Dockerfile; 0: of an image's ONBUILD
  int exit_code = 0;  // when `signal` is 0
  int signal = 0;
  bool timed_out = false;
  bool oom_killed = false;
  bool disk_full = false;
  std::string output_end{};  // of both streams, as text
};

// One build, as it is at a moment.
struct BuildView {
  std::string id{};
  std::vector<std::string> names{};  // that the template gets
  std::string dockerfile{};          // as people know it
  std::string target{};
  std::string platform{};
  std::string owner{};
  BuildState state = BuildState::kWaiting;
  uint64_t events = 0;  // the number of the newest
  uint64_t steps = 0;   // that make layers, of one that has ended
  uint64_t cached = 0;  // of these
  Bytes context = 0;    // bytes of its files
  int64_t asked_unix_ms = 0;
  int64_t started_unix_ms = 0;  // 0: it waited until its end
  int64_t ended_unix_ms = 0;
  std::vector<BuiltTemplate> made{};
  std::optional<FailedStep> failure{};
  std::optional<Error> error{};  // of one that failed otherwise
};

// "RUN make (Dockerfile:12) ended with exit code 2", for a person.
std::string DescribeFailure(const FailedStep& failed, const std::string& dockerfile);

struct BuildMetrics {
  uint64_t running = 0, waiting = 0;  // now
  uint64_t done = 0, failed = 0, cancelled = 0, interrupted = 0;
  uint64_t steps = 0, cached = 0;  // of builds that have ended
};

}  // namespace cay::sandbox
