#include "api/webhooks/webhook_sender.h"

#include "api/webhooks/webhook_rules.h"
#include "api/webhooks/webhook_target.h"
#include "base/clock.h"
#include "http/client/client.h"

namespace cay::api {

Result<int> SendDelivery(const Webhook& hook, const Delivery& delivery,
                         const WebhookOptions& options) {
  WebhookTarget target = TRY(WebhookTarget::Parse(hook.url));
  const auto addresses = TRY(AllowedAddresses(target.url, options.allow_private));
  // Each attempt takes the next: the first may be of a family that leads nowhere from here.
  target.url.address = addresses[delivery.attempts % addresses.size()];
  const auto client = TRY(http::Client::Open(target.url, options.timeout));
  const std::string signature = TRY(WebhookSignature(hook.secret, UnixMs() / 1000, delivery.body));
  const auto response = TRY(client->Send({.method = "POST",
                                          .target = target.target,
                                          .headers = {{"Content-Type", "application/json"},
                                                      {"User-Agent", "cay"},
                                                      {"Connection", "close"},
                                                      {"X-Cay-Event", delivery.type},
                                                      {"X-Cay-Delivery", delivery.Id()},
                                                      {"X-Cay-Signature", signature}},
                                          .body = delivery.body,
                                          .timeout = options.timeout}));
  return response->status();
}

}  // namespace cay::api
