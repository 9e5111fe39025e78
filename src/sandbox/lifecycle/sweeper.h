// Sweeper: what happens by itself: deadlines that come, guests that end, and the activity that is
// written to the store a little later.
#pragma once

#include <chrono>

#include "sandbox/lifecycle/core.h"
#include "sandbox/lifecycle/transitions.h"

namespace cay::sandbox {

class Sweeper {
 public:
  Sweeper(Core& core, Transitions& transitions) : core_(core), transitions_(transitions) {}

  // On the timer's thread: a sandbox's time to be looked at has come.
  void OnTime(const SandboxId& id);
  // On the watch's thread; false: it is busy, try again.
  bool OnGone(const SandboxId& id);
  // On the timer's thread, often: does its work at most once in a while.
  void Look();
  // Writes what has changed by use since the last time.
  void SaveActivities();

 private:
  Result<void> Act(Sandbox& sandbox, Due due);

  Core& core_;
  Transitions& transitions_;
  std::chrono::steady_clock::time_point next_save_{};
  std::chrono::steady_clock::time_point next_trim_{};
};

}  // namespace cay::sandbox
