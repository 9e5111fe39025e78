// GuestEnd: why a sandbox's guest, and with it every process, is no longer there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "engine/engine.h"

namespace cay::sandbox {

// Numbers and names are kept on disk: never changed, never reused.
enum class GuestEndKind : uint8_t {
  kUnknown = 0,    // not seen, or not written down
  kStopped = 1,    // the sandbox was stopped …
  kReset = 2,      // … reset …
  kDestroyed = 3,  // … destroyed
  kOomKilled = 4,  // for want of the sandbox's memory
  kSignalled = 5,  // killed by something else
  kExited = 6,     // by itself
  kLost = 7,       // while no server was there, or with all that there was of the sandbox
};
inline constexpr GuestEndKind kLastGuestEndKind = GuestEndKind::kLost;
std::string_view GuestEndName(GuestEndKind kind);  // "oom_killed"
GuestEndKind GuestEndFromName(std::string_view name);

// Whether it was ended by a request or a deadline. Any other end is the machine's fault.
bool IsByItsOwner(GuestEndKind kind);

struct GuestEnd {
  GuestEndKind kind = GuestEndKind::kUnknown;
  std::string reason{};  // for people: "stopped: idle_timeout", "signalled: SIGKILL"
};

// Told of each end, from any thread.
using GuestGone = std::function<void(const SandboxId& id, const GuestEnd& end)>;

GuestEnd GuestEndOf(const engine::Exit& exit);

// From what a program before 0.2.0 kept: the reason alone.
GuestEndKind GuestEndOfReason(std::string_view reason);

}  // namespace cay::sandbox
