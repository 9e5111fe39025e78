// What the keeper of networks knows of one sandbox's. For the keeper's own files.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "sandbox/network/network_keeper.h"

namespace cay::sandbox {

// All of `a` and `b`; what is open is open in `b`.
inline network::NetworkCounts Sum(network::NetworkCounts a, const network::NetworkCounts& b) {
  a.inbound += b.inbound;
  a.connections += b.connections;
  a.denied += b.denied;
  a.failed += b.failed;
  a.sent += b.sent;
  a.received += b.received;
  a.open = b.open;
  return a;
}

// What others did not get of a sandbox is no news of what sandboxes want, for metrics.
inline void Leave(network::NetworkCounts& before, const network::NetworkCounts& counts) {
  before.denied = counts.denied;
  before.failed = counts.failed;
}

// Of flows: a relay's log.
struct NetworkKeeper::Source {
  uint64_t& known;  // the number of its newest flow that the entry has
  network::NetworkCounts& counts;
  bool inbound = false;
};

struct NetworkKeeper::Entry {
  Entry(SandboxId its_id, std::string its_owner)
      : id(std::move(its_id)),
        owner(std::move(its_owner)),
        flows(static_cast<uint64_t>(std::max<int64_t>(UnixMs(), 0))) {}

  network::NetworkCounts Totals() const {
    const network::NetworkCounts own = Sum(before, counts);
    network::NetworkCounts all = Sum(own, Sum(inbound_before, inbound_counts));
    all.open += own.open;
    return all;
  }

  const SandboxId id;
  const std::string owner;

  std::mutex mutex;     // over a whole opening, change or closing
  bool wanted = false;  // terms are not for "none"
  bool paused = false;
  std::optional<MadeNetwork> made{};  // while it is opened for the first time
  network::Terms terms{};
  uint64_t relay = 0;  // the number of the one that serves it; 0: none
  network::Steering steering = network::Steering::kLookup;
  // The file of the names that relays gave its programs: for the next one, and not looked into.
  // None where the last one to serve it wrote none: an older file would say what is not so.
  std::optional<Fd> names{};
  std::string problem{};
  FlowRing flows;
  std::condition_variable told_more;  // of `flows`
  uint64_t known = 0;                 // of the relay's flows
  uint64_t told_flow = 0;             // up to that number they were told of as events
  network::NetworkCounts before{};    // of relays before
  network::NetworkCounts counts{};    // of this one

  // The same of connections from outside, which a relay tells of whether it serves a network or
  // not.
  bool published = false;
  uint64_t inbound_relay = 0;
  uint64_t inbound_known = 0;
  network::NetworkCounts inbound_before{};
  network::NetworkCounts inbound_counts{};
  // With a lock of its own, since who listens must not wait for an opening: whether the sandbox is
  // gone, when no relay is told of it any more, and those connections that never came to a relay,
  // until they are pulled.
  static constexpr size_t kMaxTurnedAway = 64;
  std::mutex door_mutex;
  bool gone = false;
  std::vector<network::Flow> turned_away{};
  uint64_t turned_away_more = 0;

  // Events within a second.
  Clock::time_point second{};
  uint32_t told = 0;
  uint64_t untold = 0;
};

}  // namespace cay::sandbox
