// /api/webhooks: for administrators.
#pragma once

#include <vector>

#include "api/dispatch/metrics_text.h"
#include "api/route.h"
#include "api/webhooks/webhooks.h"

namespace cay::api {

// `hooks` outlives the routes.
std::vector<Route> WebhookRoutes(Webhooks& hooks);

void WriteWebhookMetrics(MetricsText& text, Webhooks& hooks);

}  // namespace cay::api
