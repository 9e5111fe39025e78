// A build that nobody wants any more: its StopTimer says so to everything that works on it.
#pragma once

#include <cerrno>

#include "base/loop/stop_timer.h"
#include "base/result.h"

namespace cay::build {

// kUnavailable, with ECANCELED: as of imports and pulls that were stopped.
inline Result<void> CheckWanted(const StopTimer& stop) {
  if (!stop.stopped()) return {};
  Error error(ErrorCode::kUnavailable, Fault::kCaller, "the build was stopped");
  error.set_sys_errno(ECANCELED);
  return Failure(std::move(error));
}

}  // namespace cay::build
