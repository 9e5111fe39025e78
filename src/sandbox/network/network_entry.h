// What the keeper of networks knows of one sandbox's. For the keeper's own files.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "sandbox/network/network_keeper.h"

namespace cay::sandbox {

// All of `a` and `b`; what is open is open in `b`.
inline network::NetworkCounts Sum(network::NetworkCounts a, const network::NetworkCounts& b) {
  a.connections += b.connections;
  a.denied += b.denied;
  a.failed += b.failed;
  a.sent += b.sent;
  a.received += b.received;
  a.open = b.open;
  return a;
}

struct NetworkKeeper::Entry {
  Entry(SandboxId its_id, std::string its_owner)
      : id(std::move(its_id)),
        owner(std::move(its_owner)),
        flows(static_cast<uint64_t>(std::max<int64_t>(UnixMs(), 0))) {}

  const SandboxId id;
  const std::string owner;

  std::mutex mutex;     // over a whole opening, change or closing
  bool wanted = false;  // terms are not for "none"
  bool paused = false;
  std::optional<engine::NetworkSockets> made{};  // while it is opened for the first time
  network::Terms terms{};
  uint64_t relay = 0;  // the number of the one that serves it; 0: none
  network::Steering steering = network::Steering::kLookup;
  std::string problem{};
  FlowRing flows;
  uint64_t known = 0;               // of the relay's flows
  network::NetworkCounts before{};  // of relays before
  network::NetworkCounts counts{};  // of this one
  // Events within a second.
  Clock::time_point second{};
  uint32_t told = 0;
  uint64_t untold = 0;
};

}  // namespace cay::sandbox
