// A clock that tests move: while one lives, all of the process that asks base/clock.h goes by it.
// It stands still between one Advance and the next. Threads that wait look at it again when their
// wait is over by the machine's clock, or when they are woken.
//
//   FakeClock clock;
//   clock.Advance(Millis(60'000));
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "base/units.h"

namespace cay {

class FakeClock : public ClockSource {
 public:
  FakeClock() { internal::clock_source = this; }
  ~FakeClock() override { internal::clock_source = nullptr; }
  FakeClock(const FakeClock&) = delete;
  FakeClock& operator=(const FakeClock&) = delete;

  void Advance(Millis by) { passed_ms_ += by.count(); }

  int64_t UnixMs() const override { return unix_ms_ + passed_ms_; }
  SteadyTime SteadyNow() const override { return steady_ + Millis(passed_ms_); }

 private:
  const int64_t unix_ms_ =
      std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const SteadyTime steady_ = std::chrono::steady_clock::now();
  std::atomic<int64_t> passed_ms_ = 0;
};

}  // namespace cay
