// What pulls of images are to those who ask for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/units.h"

namespace cay::sandbox {

// What is asked for.
struct PullSpec {
  std::string image{};     // a reference, as people type it
  std::string name{};      // of the template; empty: the image's own
  std::string platform{};  // "linux/arm64"; empty: this machine's
  bool replace = false;    // a template of the name that `name` gives
};

// The last four are ends. Interrupted: the server ended meanwhile; the same again goes on with what
// was fetched.
enum class PullState : uint8_t { kWaiting, kPulling, kDone, kFailed, kCancelled, kInterrupted };
inline constexpr size_t kPullStates = 6;
std::string_view PullStateName(PullState state);  // "waiting" …
inline bool HasEnded(PullState state) { return state >= PullState::kDone; }

struct PulledLayer {
  std::string digest{};  // as the registry has it
  Bytes done = 0;
  Bytes size = 0;
};

// One pull, as it is at a moment.
struct PullView {
  std::string id{};
  std::string image{};  // in its shortest form
  std::string name{};   // of the template
  std::string platform{};
  std::string owner{};  // who asked first
  PullState state = PullState::kWaiting;
  uint64_t change = 0;  // ascending: how often it has changed
  // Those that were not here; none before it is known which.
  std::vector<PulledLayer> layers{};
  Bytes fetched = 0;   // of them together
  Bytes size = 0;      // likewise
  Bytes unpacked = 0;  // of content
  int64_t asked_unix_ms = 0;
  int64_t ended_unix_ms = 0;
  std::string digest{};          // of one that is done: of its manifest
  std::optional<Error> error{};  // of one that failed
};

// "43 %", "being unpacked", "waiting for its turn": how far it is, for a person.
std::string HowFar(const PullView& pull);

struct PullMetrics {
  uint64_t running = 0, waiting = 0;  // now
  uint64_t done = 0, failed = 0, cancelled = 0, interrupted = 0;
  uint64_t joined = 0;   // requests and creates that found theirs under way
  uint64_t fetched = 0;  // bytes, of pulls that have ended
};

}  // namespace cay::sandbox
