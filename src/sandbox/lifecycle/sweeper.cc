#include "sandbox/lifecycle/sweeper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/os/log.h"
#include "sandbox/records/idempotency_table.h"
#include "sandbox/records/sandbox_table.h"

namespace cay::sandbox {
namespace {

using store::Database;

constexpr Millis kSaveEvery{2000};
constexpr Millis kTrimEvery{60'000};
constexpr int64_t kBusyAgainMs = 20;
constexpr int64_t kFailedAgainMs = 30'000;
constexpr int64_t kQuitLookMs = 100;

}  // namespace

Result<void> Sweeper::Act(Sandbox& sandbox, Due due) {
  const std::string reason = due == Due::kLifetime ? "lifetime" : "idle_timeout";
  switch (sandbox.View().spec.on_timeout.value_or(OnTimeout::kDestroy)) {
    case OnTimeout::kDestroy:
      return transitions_.DestroyLocked(sandbox, reason);
    case OnTimeout::kStop:
      return transitions_.StopLocked(sandbox, reason);
    case OnTimeout::kPause:
      // Its time is over, whether the engine can pause it or not.
      if (!core_.engine_is.can.pause) return transitions_.StopLocked(sandbox, reason);
      return transitions_.PauseLocked(sandbox, reason);
  }
  return {};
}

void Sweeper::OnTime(const SandboxId& id) {
  const auto sandbox = core_.registry.Find(id.text());
  if (!sandbox) return;
  const std::unique_lock lock(sandbox->transition, std::try_to_lock);
  if (!lock) {
    core_.timer->Earlier(id, UnixMs() + kBusyAgainMs);
    return;
  }
  const Due due = WhatIsDue(sandbox->TimesNow(), UnixMs());
  if (due == Due::kNothing) {
    core_.SetTimer(*sandbox);
    return;
  }
  if (sandbox->View().spec.on_timeout == OnTimeout::kStop) {
    // Nobody waits here: others have their times, too.
    if (const auto left = core_.AskStartupToEnd(*sandbox)) {
      core_.timer->Earlier(id, UnixMs() + std::min(left->count(), kQuitLookMs));
      return;
    }
  }
  const auto done = Act(*sandbox, due);
  if (!done) {
    LogWarning("sandbox " + id.text() + ", whose time is over: " + done.error().ToString());
    core_.timer->Earlier(id, UnixMs() + kFailedAgainMs);
    return;
  }
  if (sandbox->state() != SandboxState::kDestroyed) core_.SetTimer(*sandbox);
}

bool Sweeper::OnGone(const SandboxId& id) {
  const auto sandbox = core_.registry.Find(id.text());
  if (!sandbox) return true;
  const std::unique_lock lock(sandbox->transition, std::try_to_lock);
  if (!lock) return false;
  const SandboxState state = sandbox->state();
  const bool expected = state != SandboxState::kRunning && state != SandboxState::kPaused;
  if (expected || !sandbox->GuestIsGone()) return true;
  const auto exit = core_.engine.GetExit(id);
  transitions_.FailLocked(*sandbox,
                          exit ? GuestEndOf(*exit) : GuestEnd{.reason = "its guest ended"});
  return true;
}

void Sweeper::Look() {
  const auto now = SteadyNow();
  if (now >= next_save_) {
    next_save_ = now + kSaveEvery;
    SaveActivities();
  }
  if (now >= next_trim_) {
    next_trim_ = now + kTrimEvery;
    core_.store.WriteLater([](Database& db) { return TrimIdempotentCreates(db, UnixMs()); });
  }
}

void Sweeper::SaveActivities() {
  std::vector<std::pair<SandboxId, Activity>> changed;
  for (const auto& sandbox : core_.registry.All()) {
    if (const auto activity = sandbox->TakeActivity())
      changed.emplace_back(sandbox->id(), *activity);
  }
  if (changed.empty()) return;
  core_.store.WriteLater([changed = std::move(changed)](Database& db) -> Result<void> {
    for (const auto& [id, activity] : changed) TRY(SaveActivity(db, id, activity));
    return {};
  });
}

}  // namespace cay::sandbox
