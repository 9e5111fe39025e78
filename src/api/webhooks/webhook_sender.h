// One attempt of one delivery.
#pragma once

#include "api/webhooks/webhook_options.h"
#include "api/webhooks/webhook_table.h"
#include "base/result.h"

namespace cay::api {

// The status of the answer, whatever it is. An error: there was none. Takes at most twice the
// timeout (connecting, and the answer's head) and what the resolver takes. The answer's body is not
// read.
Result<int> SendDelivery(const Webhook& hook, const Delivery& delivery,
                         const WebhookOptions& options);

}  // namespace cay::api
