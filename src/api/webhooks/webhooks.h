// Webhooks: tells other servers what happened, signed, at least once.
//
//   auto hooks = TRY(Webhooks::Open(options, store, events));
//   const Webhook made = TRY(hooks->Create({.url = "https://example.com/cay", .events = {"sandbox.*"}}));
//
// One thread follows the event log and makes a delivery for each webhook that wants an event; that
// and the place in the log are one transaction, so each event becomes one delivery over restarts
// too. A few threads send them, never two of one webhook at once; those of one webhook go oldest
// first, except for what is tried again. Any 2xx is success; everything else, redirects too, is
// tried again later. A crash between an answer and its row repeats the delivery, with the same
// X-Cay-Delivery. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/webhooks/webhook_options.h"
#include "api/webhooks/webhook_table.h"
#include "base/result.h"
#include "sandbox/events/event_log.h"
#include "store/store.h"

namespace cay::api {

struct WebhookSpec {
  std::string url = {};
  std::vector<std::string> events = {"*"};
  std::optional<std::string> secret = {};  // nothing: made here
  std::string owner = {};                  // only this owner's events; empty: all
};

class Webhooks {
 public:
  // `store` and `events` outlive it.
  static Result<std::unique_ptr<Webhooks>> Open(const WebhookOptions& options, store::Store& store,
                                                sandbox::EventLog& events);
  // Waits for attempts that are on their way, each bounded by the timeout.
  ~Webhooks();
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // The webhook gets what happens from now on. kInvalidArgument, kPermissionDenied (an address that
  // webhooks may not reach), kResourceExhausted.
  Result<Webhook> Create(const WebhookSpec& spec);
  Result<void> Delete(const std::string& id);  // with its deliveries; kNotFound
  std::vector<Webhook> List() const;
  // Newest first. kNotFound.
  Result<std::vector<Delivery>> Deliveries(const std::string& id, uint64_t limit);

  void Reconfigure(const WebhookOptions& options);
  // No attempt begins any more; what waits is sent after the next start.
  void Stop();

  struct Metrics {
    uint64_t delivered = 0;
    uint64_t failed = 0;           // after all attempts
    uint64_t dropped = 0;          // no room
    uint64_t attempts_failed = 0;  // tried again or not
    uint64_t events_missed = 0;    // the log had forgotten them
    uint64_t waiting = 0;
  };
  Metrics GetMetrics();

 private:
  class Impl;
  explicit Webhooks(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::api
