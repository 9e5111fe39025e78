#include "sandbox/rules/deadlines.h"

#include <algorithm>

namespace cay::sandbox {

std::optional<int64_t> IdleDeadline(const Times& times, int64_t now_ms) {
  if (times.idle_timeout_ms <= 0 || times.state != SandboxState::kRunning) return std::nullopt;
  if (times.in_use) return now_ms + times.idle_timeout_ms;
  return std::max(times.last_activity_ms + times.idle_timeout_ms, times.idle_not_before_ms);
}

namespace {

// Whether the end of its life has something to do, in the state that it is in.
bool LifeCanEnd(const Times& times) {
  const bool runs = times.state == SandboxState::kRunning;
  switch (times.on_timeout) {
    case OnTimeout::kDestroy:
      return true;
    case OnTimeout::kStop:
      return runs || times.state == SandboxState::kPaused;
    case OnTimeout::kPause:
      return runs;
  }
  return true;
}

}  // namespace

Due WhatIsDue(const Times& times, int64_t now_ms) {
  if (times.state == SandboxState::kDestroyed || times.state == SandboxState::kCreating)
    return Due::kNothing;
  if (times.expires_ms && *times.expires_ms <= now_ms && LifeCanEnd(times)) return Due::kLifetime;
  const auto idle = IdleDeadline(times, now_ms);
  return idle && *idle <= now_ms ? Due::kIdle : Due::kNothing;
}

std::optional<int64_t> NextLook(const Times& times, int64_t now_ms) {
  if (times.state == SandboxState::kDestroyed) return std::nullopt;
  const auto idle = IdleDeadline(times, now_ms);
  if (!times.expires_ms || !LifeCanEnd(times)) return idle;
  return idle ? std::min(*idle, *times.expires_ms) : *times.expires_ms;
}

}  // namespace cay::sandbox
