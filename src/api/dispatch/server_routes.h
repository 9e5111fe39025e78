// The server's own operations: /health, /ready, /metrics, keys and the audit.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "api/dispatch/metrics_text.h"
#include "api/gate/audit_log.h"
#include "api/gate/key_ring.h"
#include "api/route.h"
#include "store/store.h"

namespace cay::api {

// What they stand on. Outlives the routes.
struct ServerState {
  KeyRing& keys;
  AuditLog& audit;
  store::Store& store;
  std::string version;
  // Whether there is room for a sandbox with the server's defaults.
  std::function<Result<void>()> check_room;
  // Writes all families; see server_metrics.h.
  std::function<void(MetricsText&)> write_metrics;
  std::atomic<bool> draining = false;
};

std::vector<Route> ServerRoutes(ServerState& state);

}  // namespace cay::api
