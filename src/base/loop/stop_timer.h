// StopTimer: one descriptor that ends what waits on it, at a time or before: timerfd_create(2).
//
//   const StopTimer stop = TRY(StopTimer::After(Millis(1'800'000)));
//   … CallOptions{.stop_fd = stop.fd()} …      // becomes readable then, and stays so
//   stop.Stop();                               // or now; any thread
#pragma once

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay {

class StopTimer {
 public:
  static Result<StopTimer> After(Millis time);
  // One that no time stops.
  static Result<StopTimer> Make();
  // For ever. Thread-safe.
  void Stop() const;
  // From now on, unless it has stopped already. Not beside Stop().
  Result<void> StopAfter(Millis time) const;
  bool stopped() const;
  int fd() const { return fd_.get(); }

 private:
  explicit StopTimer(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace cay
