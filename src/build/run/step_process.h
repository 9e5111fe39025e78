// The command of a step, while it runs.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/units.h"
#include "build/run/step.h"
#include "build/stop.h"
#include "guest_link/guest_channel.h"

namespace cay::build {

struct ProcessEnd {
  protocol::Exited exited{};
  uint64_t process = 0;
  bool timed_out = false;
  bool guest_gone = false;  // the sandbox ended under it
};

// Starts it and waits for its end. After `timeout` (0: never) it is left running, and timed_out:
// the sandbox is about to be destroyed. kUnavailable with ECANCELED when the build was stopped; the
// guest's errors where it cannot be started. Blocking.
Result<ProcessEnd> RunProcess(const GuestChannel& guest, const protocol::StartRequest& request,
                              Millis timeout, const StopTimer& stop, const StepOutput& output);

}  // namespace cay::build
