// BuildStop: says to everything that works on a build that nobody wants it any more. Thread-safe.
#pragma once

#include <atomic>

#include "base/os/wakeup.h"
#include "base/result.h"

namespace cay::build {

class BuildStop {
 public:
  static Result<BuildStop> Make() { return BuildStop(TRY(Wakeup::Make())); }
  BuildStop(BuildStop&& other) noexcept : wakeup_(std::move(other.wakeup_)) {}
  BuildStop& operator=(BuildStop&&) = delete;

  // For ever.
  void Stop() {
    stopped_.store(true);
    wakeup_.Raise();
  }
  bool stopped() const { return stopped_.load(); }
  // Readable once it has stopped.
  int fd() const { return wakeup_.fd(); }

 private:
  explicit BuildStop(Wakeup wakeup) : wakeup_(std::move(wakeup)) {}

  std::atomic<bool> stopped_ = false;
  Wakeup wakeup_;
};

// kUnavailable, with ECANCELED: as of imports and pulls that were stopped.
inline Result<void> CheckWanted(const BuildStop& stop) {
  if (!stop.stopped()) return {};
  Error error(ErrorCode::kUnavailable, Fault::kCaller, "the build was stopped");
  error.set_sys_errno(ECANCELED);
  return Failure(std::move(error));
}

}  // namespace cay::build
