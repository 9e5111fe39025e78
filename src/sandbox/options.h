// What an administrator decides about sandboxes: defaults, maxima, pools.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/units.h"
#include "engine/engine.h"
#include "network/link/limits.h"
#include "network/policy/policy.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// One warm pool. Limits that are left out are the defaults.
struct PoolOptions {
  std::string template_name = "host";
  engine::Limits limits;
  size_t minimum = 0;           // ready at all times
  size_t maximum = 0;           // never more; after a burst it grows towards this …
  Millis shrink_after{60'000};  // … and goes back after so long without one
};

// The percentage of a limit from which on a sandbox is unhealthy; 0: never.
struct HealthThresholds {
  double memory = 90;
  double cpu = 95;
  double disk = 95;
};

// Of one sandbox; 0: any. What a sandbox has that asks for none is the smaller of this and of what
// NetworkLimits begins with.
struct NetworkMaxima {
  uint32_t connections = network::NetworkLimits::kMaxConnections;  // at the same time
  uint32_t connections_per_second = 0;
  Bytes bytes_per_second = 0;
  Bytes bytes = 0;
  Millis idle{0};  // whole seconds
};

struct NetworkOptions {
  network::Bounds bounds;
  NetworkMaxima maxima;
  // By template: what its sandboxes have whose creators ask for no network.
  std::map<std::string, NetworkSpec> of_templates;
  // Of the names that sandboxes ask for: "127.0.0.1:53"; none: the machine's own.
  std::vector<std::string> resolvers;
  // Through which connections are made (network/transfer/proxy.h); empty: none. With its password.
  std::string proxy;
  std::vector<std::string> no_proxy;  // rules of what is connected to without it
  // Files with authorities by whose certificates hosts of secrets are verified, beside this
  // machine's.
  std::vector<std::string> extra_ca;
  // What registries send is kept up to this size (network/cache/); 0: not.
  Bytes cache = 0;
  bool cache_shared = false;  // by all owners, and not by each for itself
  // Where ports of sandboxes may be published beside loopback addresses.
  std::vector<std::string> publish_addresses;
};

inline constexpr Millis kMaxStopGrace{300'000};

struct ManagerOptions {
  Paths paths;
  std::string default_template = "host";
  engine::Limits default_limits;
  engine::Limits max_limits;   // of one sandbox
  Millis default_cpu_time{0};  // of each process; 0: any
  Millis max_cpu_time{0};      // 0: any, and none
  Millis default_timeout{86'400'000};
  Millis max_timeout{604'800'000};  // 0: any, and "none" is allowed
  Millis default_idle_timeout{1'800'000};
  Millis max_idle_timeout{86'400'000};
  OnTimeout default_on_timeout = OnTimeout::kDestroy;
  // From the signal that asks the start-up process of a sandbox that is stopped to end, to the end
  // of everything; 0: at once, and without the signal.
  Millis stop_grace{10'000};    // at most kMaxStopGrace
  size_t max_sandboxes = 1000;  // of the server, pooled ones included
  size_t max_sandboxes_per_owner = 1000;
  size_t max_snapshots_per_owner = 100;
  Bytes max_snapshot_bytes_per_owner = 20 * kGiB;  // of content beyond their parents'; of all
  size_t max_volumes_per_owner = 100;
  Bytes max_volume_bytes_per_owner = 100 * kGiB;  // of their sizes, whatever is in them
  Bytes max_memory = 0;                           // sum of memory limits; 0: no bound
  // Sum of disk limits, in thousandths of the size of the state directory's filesystem; 0: no
  // bound.
  uint32_t disk_committed = 2000;
  std::vector<std::string>
      mount_roots;  // host directories below which mounts are allowed; read-write ones end in ":rw"
  bool allow_root = false;  // SandboxSpec::privileges
  std::vector<PoolOptions> pools;
  Millis sweep_interval{60'000};  // at the latest; deadlines are met when they come
  HealthThresholds health;
  NetworkOptions network;
  size_t max_creating = 1024;  // creates that wait for the engine; more get kUnavailable
};

}  // namespace cay::sandbox
