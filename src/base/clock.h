// The wall clock, for what is kept and shown. What measures a duration uses std::chrono::steady_clock.
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

}  // namespace cay
