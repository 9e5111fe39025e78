// What a server's sandboxes come to in numbers, as /metrics shows it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "network/link/cache_counts.h"

namespace cay::sandbox {

// What /metrics shows. Bucket i counts what took at most 64 µs << i; the last one all that took
// longer as well.
struct Histogram {
  static constexpr size_t kBuckets = 21;
  std::array<uint64_t, kBuckets> counts{};
  uint64_t count = 0;
  uint64_t sum_us = 0;
};

struct PoolStatus {
  std::string template_name;
  engine::Limits limits;
  size_t ready = 0, minimum = 0, maximum = 0, making = 0;
  uint64_t claimed = 0, missed = 0, discarded = 0;
  std::string last_error;
};

struct StageHistogram {
  std::string name;
  Histogram us;
};

// Of the networks of all sandboxes, since the server's start.
struct NetworkMetrics {
  uint64_t networks = 0;  // that are served now
  uint64_t open = 0;      // connections, now
  uint64_t connections = 0, denied = 0, failed = 0;
  uint64_t sent = 0, received = 0;  // bytes, as the sandboxes see it
  uint64_t relay_restarts = 0;
  network::CacheCounts cache;  // of the relay that serves now
};

struct ManagerMetrics {
  std::array<uint64_t, 6> by_state{};  // SandboxState
  uint64_t created = 0, destroyed = 0, failed = 0, refused = 0, adopted = 0, lost = 0;
  std::vector<StageHistogram> stages;  // those that the engine describes, in its order
  Histogram create_cold, create_pooled, destroy;
  std::vector<PoolStatus> pools;
  NetworkMetrics network;
};

// Of the processes of all sandboxes.
struct ProcessMetrics {
  uint64_t started = 0, ended = 0, timed_out = 0, running = 0, lost = 0;
  Histogram start, execute;  // to Started; to the end of Execute
};

}  // namespace cay::sandbox
