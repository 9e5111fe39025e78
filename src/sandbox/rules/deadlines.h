// Deadlines: when a sandbox's time is over, and what is to be done then. Pure; the thread that
// waits is timer.h's.
//
// Two times are kept: the end of its life, and idleness. At both, what the sandbox's creator chose
// is done. Use (a lease, a running process) keeps it from being idle, and not from the end of its
// life. A paused or stopped sandbox is not idle: it costs little, and waits for its owner. At the
// end of its life it is destroyed, or a paused one stopped, where that was chosen; one that is in
// the chosen state already, or has failed and was not to be destroyed, is kept. A start or resume
// after that end gives it another life (transitions.h).
#pragma once

#include <cstdint>
#include <optional>

#include "sandbox/types.h"

namespace cay::sandbox {

struct Times {
  SandboxState state = SandboxState::kRunning;
  bool in_use = false;
  int64_t last_activity_ms = 0;
  int64_t idle_not_before_ms = 0;  // after a restart its users get time to come back
  int64_t idle_timeout_ms = 0;     // 0: none
  std::optional<int64_t> expires_ms;
  OnTimeout on_timeout = OnTimeout::kDestroy;
};

enum class Due : uint8_t { kNothing, kIdle, kLifetime };

// What is due at `now_ms`.
Due WhatIsDue(const Times& times, int64_t now_ms);

// When it will have been idle too long, if nobody uses it from now on.
std::optional<int64_t> IdleDeadline(const Times& times, int64_t now_ms);

// When to look again; nothing: never, unless something changes. While nothing changes but use, no
// deadline comes before this.
std::optional<int64_t> NextLook(const Times& times, int64_t now_ms);

}  // namespace cay::sandbox
