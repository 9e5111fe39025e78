#include "api/webhooks/webhook_routes.h"

#include "api/request.h"
#include "base/os/log.h"
#include "json/json_fields.h"

namespace cay::api {
namespace {

using http::Exchange;

constexpr uint64_t kMaxListed = 1000;
constexpr size_t kMaxUrlField = 4096;

void WriteMembers(JsonWriter& json, const Webhook& hook) {
  json.Member("id", hook.id).Member("url", hook.url).Key("events").BeginArray();
  for (const std::string& pattern : hook.events) json.Value(pattern);
  json.EndArray().Member("owner", hook.owner);
  json.Member("created_at", FormatTimestamp(hook.created_unix_ms));
}

Result<std::vector<std::string>> ReadPatterns(JsonFields& fields) {
  const JsonValue* value = fields.Find("events");
  if (value == nullptr) return std::vector<std::string>{"*"};
  const JsonValue::Array* array = value->AsArray();
  if (array == nullptr) return Failure(fields.Wrong("events", "an array of strings", *value));
  std::vector<std::string> patterns;
  for (const JsonValue& one : *array) {
    const std::string* pattern = one.AsString();
    if (pattern == nullptr) return Failure(fields.Wrong("events", "an array of strings", one));
    patterns.push_back(*pattern);
  }
  return patterns;
}

Result<void> ListWebhooks(Webhooks& hooks, Exchange& exchange) {
  JsonWriter json;
  json.BeginObject().Key("webhooks").BeginArray();
  for (const Webhook& hook : hooks.List()) {
    json.BeginObject();
    WriteMembers(json, hook);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

Result<void> CreateWebhook(Webhooks& hooks, Exchange& exchange) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  JsonFields fields = TRY(JsonFields::Of(body));
  WebhookSpec spec;
  spec.url = TRY(fields.RequiredString("url", kMaxUrlField));
  spec.events = TRY(ReadPatterns(fields));
  spec.owner = TRY(fields.String("owner", kMaxUrlField)).value_or("");
  const auto secret = TRY(fields.String("secret", kMaxUrlField));
  TRY(fields.Finish());
  if (secret && secret->empty()) return Failure(Error::Invalid("\"secret\" is empty"));
  spec.secret = secret.value_or("");
  const Webhook made = TRY(hooks.Create(spec));
  JsonWriter json;
  json.BeginObject();
  WriteMembers(json, made);
  json.Member("secret", made.secret).EndObject();
  return RespondJson(exchange, 201, std::move(json),
                     {{"Location", "/api/webhooks/" + made.id}, {"Cache-Control", "no-store"}});
}

Result<void> DeleteWebhookById(Webhooks& hooks, Exchange& exchange) {
  TRY(hooks.Delete(std::string(exchange.request().Capture("webhook_id"))));
  return RespondNothing(exchange);
}

Result<void> ListDeliveries(Webhooks& hooks, Exchange& exchange) {
  const http::Request& request = exchange.request();
  const uint64_t limit = TRY(QueryNumber(request, "limit", kMaxListed)).value_or(100);
  const auto deliveries = TRY(hooks.Deliveries(std::string(request.Capture("webhook_id")), limit));
  const auto time = [](const std::optional<int64_t>& unix_ms) {
    return unix_ms ? std::optional(FormatTimestamp(*unix_ms)) : std::nullopt;
  };
  JsonWriter json;
  json.BeginObject().Key("deliveries").BeginArray();
  for (const Delivery& delivery : deliveries) {
    const bool waits = delivery.state == "waiting";
    json.BeginObject().Member("id", delivery.Id()).Member("event_id", delivery.event);
    json.Member("type", delivery.type).Member("state", delivery.state);
    json.Member("attempts", delivery.attempts).Member("status", delivery.status);
    json.Member("error", delivery.error);
    json.Member("created_at", FormatTimestamp(delivery.created_unix_ms));
    json.Member("next_attempt_at",
                time(waits ? std::optional(delivery.next_unix_ms) : std::nullopt));
    json.Member("ended_at", time(delivery.ended_unix_ms)).EndObject();
  }
  json.EndArray().EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

}  // namespace

std::vector<Route> WebhookRoutes(Webhooks& hooks) {
  const auto with = [&hooks](Result<void> (*answer)(Webhooks&, Exchange&)) -> Operation {
    return [&hooks, answer](Exchange& exchange, const sandbox::Caller&) {
      return answer(hooks, exchange);
    };
  };
  return {
      {"GET", "/api/webhooks", Scope::kAdmin, "listWebhooks", with(&ListWebhooks)},
      {"POST",
       "/api/webhooks",
       Scope::kAdmin,
       "createWebhook",
       with(&CreateWebhook),
       {kMaxSmallBody}},
      {"DELETE", "/api/webhooks/{webhook_id}", Scope::kAdmin, "deleteWebhook",
       with(&DeleteWebhookById)},
      {"GET", "/api/webhooks/{webhook_id}/deliveries", Scope::kAdmin, "listDeliveries",
       with(&ListDeliveries)},
  };
}

void WriteWebhookMetrics(MetricsText& text, Webhooks& hooks) {
  const Webhooks::Metrics metrics = hooks.GetMetrics();
  text.Family("cay_webhook_deliveries_total", "counter", "Webhook deliveries that ended, by how.")
      .Sample({{"result", "delivered"}}, metrics.delivered)
      .Sample({{"result", "failed"}}, metrics.failed)
      .Sample({{"result", "dropped"}}, metrics.dropped);
  text.Family("cay_webhook_failed_attempts_total", "counter", "Webhook attempts without a 2xx.")
      .Sample({}, metrics.attempts_failed);
  text.Family("cay_webhook_missed_events_total", "counter",
              "Events forgotten before they became deliveries.")
      .Sample({}, metrics.events_missed);
  text.Family("cay_webhook_deliveries_waiting", "gauge", "Webhook deliveries that wait.")
      .Sample({}, metrics.waiting);
}

}  // namespace cay::api
