// Clocks as numbers: the wall clock, for what is kept and shown, and the steady one, for what is compared. What
// measures a duration uses std::chrono::steady_clock itself.
#pragma once

#include <chrono>
#include <cstdint>

namespace cay {

// Milliseconds since 1970, UTC.
inline int64_t UnixMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Milliseconds since some moment, which never go back.
inline int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace cay
