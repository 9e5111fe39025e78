// Webhooks and their deliveries as the store has them (store/migrations.cc).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"

namespace cay::api {

struct Webhook {
  std::string id;
  std::string url;
  std::vector<std::string> events;  // patterns
  std::string owner;                // whose events it gets; empty: all owners'
  std::string secret;
  int64_t created_unix_ms = 0;
};

struct Delivery {
  int64_t row = 0;  // of the table; may be given again after it was deleted
  std::string webhook;
  int64_t event = 0;
  std::string type;
  std::string body;
  std::string state = "waiting";  // "delivered", "failed" (all attempts), "dropped" (no room)
  uint64_t attempts = 0;
  int64_t created_unix_ms = 0;
  int64_t next_unix_ms = 0;  // when to try
  std::optional<int64_t> ended_unix_ms;
  std::optional<int64_t> status;  // of the last answer
  std::string error;              // of the last attempt

  // The same in every attempt, and of no other delivery.
  std::string Id() const { return webhook + "-" + std::to_string(event); }
};

// kResourceExhausted when there are `max` already.
Result<void> InsertWebhook(store::Database& db, const Webhook& hook, uint64_t max);
Result<void> DeleteWebhook(store::Database& db, std::string_view id);  // kNotFound
Result<std::vector<Webhook>> ReadWebhooks(store::Database& db);        // oldest first

Result<int64_t> ReadWebhookCursor(store::Database& db);
Result<void> WriteWebhookCursor(store::Database& db, int64_t event);

Result<void> InsertDelivery(store::Database& db, const Delivery& delivery);
// Drops what is over `max_waiting`: the oldest of the webhook that has most. Returns how many.
Result<uint64_t> BoundDeliveries(store::Database& db, uint64_t max_waiting, int64_t now_unix_ms);
// The waiting delivery that is first to try, of the wanted webhooks; it may be due later. Nothing:
// none waits.
Result<std::optional<Delivery>> NextDelivery(
    store::Database& db, const std::function<bool(const std::string& webhook)>& wanted);
// What an attempt changed. Of what has ended, `kept` of the webhook stay. No error when it was
// deleted.
Result<void> UpdateDelivery(store::Database& db, const Delivery& delivery, uint64_t kept);
Result<void> TrimDeliveries(store::Database& db, std::string_view webhook, uint64_t kept);
// Newest first, without bodies.
Result<std::vector<Delivery>> ReadDeliveries(store::Database& db, std::string_view webhook,
                                             uint64_t limit);
Result<uint64_t> CountWaiting(store::Database& db);

}  // namespace cay::api
