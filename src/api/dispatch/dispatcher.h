// Dispatcher: every request's way from the HTTP server to its operation: found, asked for its key,
// run, answered (by its route's writer of errors when it failed), counted, logged and audited.
//
//   Dispatcher dispatcher(gate, audit, metrics);
//   dispatcher.Add(rest::Routes(services));
//   Server::Start(options, [&](http::Exchange& e) { dispatcher.Handle(e); },
//                 [&](http::Request& r) { return dispatcher.Screen(r); });
//
// Routes are added before the first request; both are called from any thread, and Handle never
// throws.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "api/dispatch/request_metrics.h"
#include "api/dispatch/tracked_exchange.h"
#include "api/gate/audit_log.h"
#include "api/gate/gate.h"
#include "api/route.h"
#include "http/server/intake.h"
#include "http/server/router.h"

namespace cay::api {

class Dispatcher {
 public:
  Dispatcher(Gate& gate, AuditLog& audit, RequestMetrics& metrics);

  void Add(std::vector<Route> routes);
  // What answers {port}-{id}.localhost: captures `id`, `port` and `rest` as the route
  // /api/sandboxes/{id}/ports/{port}/{rest...} has them.
  void SetPortRoute(Route route);
  void set_log_requests(bool log) { log_requests_ = log; }

  // Everything that a request's head decides: under which name it came, what it asks for, who sends
  // it. A request that is not admitted is answered without a wait for its body.
  http::Intake Screen(http::Request& request);
  // Screens it first when that has not been done.
  void Handle(http::Exchange& exchange);

 private:
  struct Screened;

  struct Entry {
    Route route;
    size_t operation = 0;  // of the metrics
  };
  // What came of one request, for log, metrics and audit.
  struct Outcome {
    const Entry* entry = nullptr;  // null: no operation
    std::string owner;
    std::string key_id;
    bool audited = true;
  };

  // What the router finds: it only carries the entry.
  struct Carrier {
    const Entry* entry;
    void operator()(http::Exchange&) const {}
  };

  const Entry* NewEntry(Route route);
  void Judge(http::Request& request, Screened& screened);
  void Answer(TrackedExchange& exchange, Outcome& outcome);
  std::expected<const Entry*, Refusal> Find(http::Request& request) const;
  void Run(const Entry& entry, TrackedExchange& exchange, const sandbox::Caller& caller);
  static void Refuse(TrackedExchange& exchange, const Screened& screened, Outcome& outcome);
  void WriteDown(const TrackedExchange& exchange, const Outcome& outcome, int status);
  void LogRequest(const TrackedExchange& exchange, const Outcome& outcome, int status);

  Gate& gate_;
  AuditLog& audit_;
  RequestMetrics& metrics_;
  std::vector<std::unique_ptr<Entry>> entries_;
  const Entry* port_entry_ = nullptr;
  http::Router router_;
  size_t refused_ = 0;  // the metrics' operation of what reached none
  std::atomic<bool> log_requests_ = true;
};

}  // namespace cay::api
