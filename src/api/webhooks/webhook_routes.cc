#include "api/webhooks/webhook_routes.h"

#include "api/request.h"
#include "api/webhooks/webhook_fields.h"
#include "json/field_reader.h"
#include "json/field_writer.h"

namespace cay::api {
namespace {

using http::Exchange;

constexpr uint64_t kMaxListed = 1000;

Result<void> ListWebhooks(Webhooks& hooks, Exchange& exchange) {
  const auto all = hooks.List();
  const std::vector<fields::ToldWebhook> told(all.begin(), all.end());
  return RespondJson(exchange, 200, ListJson<fields::Webhook>("webhooks", told));
}

Result<void> CreateWebhook(Webhooks& hooks, Exchange& exchange) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const auto spec = TRY((ReadObject<fields::WebhookSpec, WebhookSpec>(body)));
  const Webhook made = TRY(hooks.Create(spec));
  return RespondJson(exchange, 201,
                     ObjectJson<fields::Webhook>(fields::ToldWebhook{made, /*with_secret=*/true}),
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
  return RespondJson(exchange, 200, ListJson<fields::Delivery>("deliveries", deliveries));
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
