// What pushes of templates are to those who ask for them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "base/units.h"

namespace cay::sandbox {

// What is asked for, beside the template. What proves who asks is wiped with it.
struct PushSpec {
  std::string image{};        // a reference with a tag: where to
  std::string compression{};  // of the layers: "gzip", "zstd", "none"; empty: gzip
  // Who asks the registry, in this push alone; all empty: nothing is said.
  std::string username{};
  std::string password{};
  std::string identity_token{};

  // Copied where others are moved: what a short text moves from keeps its bytes.
  PushSpec() = default;
  PushSpec(const PushSpec&) = default;
  PushSpec& operator=(const PushSpec&) = default;
  ~PushSpec() {
    Wipe(password);
    Wipe(identity_token);
  }
};

// The last four are ends. Interrupted: the server ended meanwhile; the same again does not send
// what the registry has.
enum class PushState : uint8_t { kWaiting, kPushing, kDone, kFailed, kCancelled, kInterrupted };
inline constexpr size_t kPushStates = 6;
std::string_view PushStateName(PushState state);  // "waiting" …
inline bool HasEnded(PushState state) { return state >= PushState::kDone; }

struct PushedLayer {
  std::string digest{};  // as it is sent
  Bytes done = 0;
  Bytes size = 0;
  bool was_there = false;  // the registry had it
};

// One push, as it is at a moment.
struct PushView {
  std::string id{};
  std::string name{};   // of the template
  std::string image{};  // in its shortest form
  std::string owner{};  // who asked
  PushState state = PushState::kWaiting;
  uint64_t change = 0;  // ascending: how often it has changed
  Bytes packed = 0;     // of content, before anything is sent
  std::vector<PushedLayer> layers{};
  Bytes sent = 0;  // of layers that the registry had not
  int64_t asked_unix_ms = 0;
  int64_t ended_unix_ms = 0;
  std::string digest{};          // of one that is done: of its manifest
  std::optional<Error> error{};  // of one that failed
};

struct PushMetrics {
  uint64_t running = 0, waiting = 0;  // now
  uint64_t done = 0, failed = 0, cancelled = 0, interrupted = 0;
  uint64_t sent = 0;  // bytes, of pushes that have ended
};

}  // namespace cay::sandbox
