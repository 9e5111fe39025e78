#include "api/webhooks/webhook_table.h"

#include <algorithm>

namespace cay::api {
namespace {

using store::Database;
using store::Statement;

Result<int64_t> OneNumber(Database& db, std::string_view sql) {
  Statement row = TRY(db.Prepare(sql));
  if (!TRY(row.Step())) return int64_t{0};
  return row.Int(0);
}

// Patterns have no spaces.
std::string Join(const std::vector<std::string>& patterns) {
  std::string text;
  for (const std::string& pattern : patterns) text += (text.empty() ? "" : " ") + pattern;
  return text;
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> patterns;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    patterns.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return patterns;
}

void BindOptional(Statement& statement, int index, const std::optional<int64_t>& value) {
  if (value) {
    statement.Bind(index, *value);
  } else {
    statement.BindNull(index);
  }
}

std::optional<int64_t> OptionalInt(const Statement& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional<int64_t>(row.Int(column));
}

constexpr std::string_view kColumns =
    "id, webhook, event, type, state, attempts, created_ms, next_ms, ended_ms, status, error";

Delivery FromRow(const Statement& row) {
  Delivery delivery;
  delivery.row = row.Int(0);
  delivery.webhook = row.Text(1);
  delivery.event = row.Int(2);
  delivery.type = row.Text(3);
  delivery.state = row.Text(4);
  delivery.attempts = static_cast<uint64_t>(row.Int(5));
  delivery.created_unix_ms = row.Int(6);
  delivery.next_unix_ms = row.Int(7);
  delivery.ended_unix_ms = OptionalInt(row, 8);
  delivery.status = OptionalInt(row, 9);
  delivery.error = row.Text(10);
  return delivery;
}

}  // namespace

Result<void> InsertWebhook(Database& db, const Webhook& hook, uint64_t max) {
  if (static_cast<uint64_t>(TRY(OneNumber(db, "SELECT COUNT(*) FROM webhook"))) >= max) {
    return Failure(
        Error(ErrorCode::kResourceExhausted, Fault::kCaller,
              "there are " + std::to_string(max) + " webhooks already, which is the maximum")
            .WithRemedy("delete some, or raise webhooks.max in cay.toml"));
  }
  Statement insert =
      TRY(db.Prepare("INSERT INTO webhook(id, url, events, secret, created_ms, owner) "
                     "VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
  return insert.Run(std::string_view(hook.id), std::string_view(hook.url),
                    std::string_view(Join(hook.events)), std::string_view(hook.secret),
                    hook.created_unix_ms, std::string_view(hook.owner));
}

Result<void> DeleteWebhook(Database& db, std::string_view id) {
  Statement remove = TRY(db.Prepare("DELETE FROM webhook WHERE id = ?1"));
  TRY(remove.Run(id));
  if (db.ChangedRows() == 0) {
    return Failure(
        Error(ErrorCode::kNotFound, Fault::kCaller, "there is no webhook " + std::string(id))
            .WithRemedy(Remedy(Action::kListWebhooks) + " lists them"));
  }
  Statement deliveries = TRY(db.Prepare("DELETE FROM webhook_delivery WHERE webhook = ?1"));
  return deliveries.Run(id);
}

Result<std::vector<Webhook>> ReadWebhooks(Database& db) {
  Statement row = TRY(db.Prepare(
      "SELECT id, url, events, secret, created_ms, owner FROM webhook ORDER BY created_ms, id"));
  std::vector<Webhook> hooks;
  while (TRY(row.Step())) {
    hooks.push_back({.id = row.Text(0),
                     .url = row.Text(1),
                     .events = Split(row.Text(2)),
                     .owner = row.Text(5),
                     .secret = row.Text(3),
                     .created_unix_ms = row.Int(4)});
  }
  return hooks;
}

Result<int64_t> ReadWebhookCursor(Database& db) {
  return OneNumber(db, "SELECT event FROM webhook_cursor");
}

Result<void> WriteWebhookCursor(Database& db, int64_t event) {
  Statement update = TRY(db.Prepare("UPDATE webhook_cursor SET event = MAX(event, ?1)"));
  return update.Run(event);
}

Result<void> InsertDelivery(Database& db, const Delivery& delivery) {
  Statement insert = TRY(
      db.Prepare("INSERT INTO webhook_delivery(webhook, event, type, body, state, attempts, "
                 "created_ms, next_ms, error) VALUES(?1, ?2, ?3, ?4, 'waiting', 0, ?5, ?6, '')"));
  return insert.Run(std::string_view(delivery.webhook), delivery.event,
                    std::string_view(delivery.type), std::string_view(delivery.body),
                    delivery.created_unix_ms, delivery.next_unix_ms);
}

Result<uint64_t> BoundDeliveries(Database& db, uint64_t max_waiting, int64_t now_unix_ms) {
  uint64_t dropped = 0;
  for (;;) {
    const uint64_t waiting = TRY(CountWaiting(db));
    if (waiting <= max_waiting) return dropped;
    Statement drop = TRY(db.Prepare(
        "UPDATE webhook_delivery SET state = 'dropped', ended_ms = ?1, "
        "error = 'too many deliveries waited' WHERE id IN (SELECT id FROM webhook_delivery "
        "WHERE state = 'waiting' AND webhook = (SELECT webhook FROM webhook_delivery "
        "WHERE state = 'waiting' GROUP BY webhook ORDER BY COUNT(*) DESC LIMIT 1) "
        "ORDER BY id LIMIT ?2)"));
    TRY(drop.Run(now_unix_ms, static_cast<int64_t>(waiting - max_waiting)));
    dropped += static_cast<uint64_t>(db.ChangedRows());
  }
}

Result<std::optional<Delivery>> NextDelivery(
    Database& db, const std::function<bool(const std::string& webhook)>& wanted) {
  Statement row = TRY(db.Prepare("SELECT " + std::string(kColumns) +
                                 ", body FROM webhook_delivery WHERE state = 'waiting' "
                                 "ORDER BY next_ms, id"));
  while (TRY(row.Step())) {
    if (!wanted(row.Text(1))) continue;
    Delivery next = FromRow(row);
    next.body = row.Text(11);
    return std::optional(std::move(next));
  }
  return std::optional<Delivery>();
}

Result<void> UpdateDelivery(Database& db, const Delivery& delivery, uint64_t kept) {
  Statement update =
      TRY(db.Prepare("UPDATE webhook_delivery SET state = ?4, attempts = ?5, next_ms = ?6, "
                     "ended_ms = ?7, status = ?8, error = ?9 "
                     "WHERE id = ?1 AND webhook = ?2 AND event = ?3 "
                     // What made way during its attempt does not come back to wait.
                     "AND (state = 'waiting' OR ?4 <> 'waiting')"));
  update.Bind(1, delivery.row);
  update.Bind(2, std::string_view(delivery.webhook));
  update.Bind(3, delivery.event);
  update.Bind(4, std::string_view(delivery.state));
  update.Bind(5, static_cast<int64_t>(delivery.attempts));
  update.Bind(6, delivery.next_unix_ms);
  BindOptional(update, 7, delivery.ended_unix_ms);
  BindOptional(update, 8, delivery.status);
  update.Bind(9, std::string_view(delivery.error));
  TRY(update.Step());
  update.Reset();
  return TrimDeliveries(db, delivery.webhook, kept);
}

Result<void> TrimDeliveries(Database& db, std::string_view webhook, uint64_t kept) {
  Statement trim = TRY(
      db.Prepare("DELETE FROM webhook_delivery WHERE webhook = ?1 AND state <> 'waiting' AND id <= "
                 "(SELECT id FROM webhook_delivery WHERE webhook = ?1 AND state <> 'waiting' "
                 "ORDER BY id DESC LIMIT 1 OFFSET ?2)"));
  return trim.Run(webhook, static_cast<int64_t>(kept));
}

Result<std::vector<Delivery>> ReadDeliveries(Database& db, std::string_view webhook,
                                             uint64_t limit) {
  Statement row =
      TRY(db.Prepare("SELECT " + std::string(kColumns) +
                     " FROM webhook_delivery WHERE webhook = ?1 ORDER BY id DESC LIMIT ?2"));
  row.Bind(1, webhook);
  row.Bind(2, static_cast<int64_t>(limit));
  std::vector<Delivery> deliveries;
  while (TRY(row.Step())) deliveries.push_back(FromRow(row));
  return deliveries;
}

Result<uint64_t> CountWaiting(Database& db) {
  return static_cast<uint64_t>(
      TRY(OneNumber(db, "SELECT COUNT(*) FROM webhook_delivery WHERE state = 'waiting'")));
}

}  // namespace cay::api
