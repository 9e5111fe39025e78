// For tests: waits for what comes by itself.
//
//   EXPECT_TRUE(Eventually([&] { return server->counters().connections_open == 0; }));
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>

#include "base/testing/sanitized.h"
#include "base/units.h"

namespace cay {

// Until `condition` holds; false when it does not within `patience`, of which a sanitizer's program
// gets three times as much. It is a bound on a test that hangs, and says nothing of how fast
// anything is.
inline bool Eventually(const std::function<bool()>& condition, Millis patience = Millis(20'000)) {
  const auto deadline = std::chrono::steady_clock::now() + patience * (kSanitized ? 3 : 1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 2);
  }
  return true;
}

}  // namespace cay
