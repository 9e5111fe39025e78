// What time it is: the wall clock, for what is kept and shown; the steady one, for durations and
// deadlines.
//
// A test puts its own clock in the place of both (base/testing/test_clock.h), for the whole
// process. A thread that waits for a time waits for a duration (wait_for, not wait_until), so that
// it does not spin when a clock stands still.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace cay {

using SteadyTime = std::chrono::steady_clock::time_point;

class ClockSource {
 public:
  virtual ~ClockSource() = default;
  virtual int64_t UnixMs() const = 0;
  virtual SteadyTime SteadyNow() const = 0;
};

namespace internal {

// Null: the machine's clocks.
inline std::atomic<const ClockSource*> clock_source = nullptr;

}  // namespace internal

// Milliseconds since 1970, UTC.
inline int64_t UnixMs() {
  if (const ClockSource* source = internal::clock_source.load(std::memory_order_acquire))
    return source->UnixMs();
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

inline SteadyTime SteadyNow() {
  if (const ClockSource* source = internal::clock_source.load(std::memory_order_acquire))
    return source->SteadyNow();
  return std::chrono::steady_clock::now();
}

// Milliseconds since some moment, which never go back: for what is compared.
inline int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyNow().time_since_epoch())
      .count();
}

}  // namespace cay
