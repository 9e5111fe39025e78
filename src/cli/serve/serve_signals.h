// The signals of a server, as a descriptor: SIGTERM and SIGINT end it, SIGHUP makes it read its
// configuration again. Blocked in every thread that is made later.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::cli {

class ServeSignals {
 public:
  // Before there is a second thread.
  static Result<ServeSignals> Block();

  // The next signal; 0 when `patience` ran out, or when `also` (a descriptor, or -1) became
  // readable.
  Result<int> Wait(Millis patience, int also = -1);
  static constexpr Millis kForever{-1};

 private:
  explicit ServeSignals(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace cay::cli
