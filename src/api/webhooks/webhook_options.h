// What an administrator decides about webhooks (cay.toml: webhooks).
#pragma once

#include <cstdint>

#include "base/units.h"

namespace cay::api {

struct WebhookOptions {
  // Whether webhooks may point to loopback, private and link-local addresses: an administrator of
  // the API could otherwise reach what only this machine can (metadata services, its neighbours).
  bool allow_private = false;
  uint64_t max_webhooks = 100;
  uint64_t max_queued =
      10'000;                 // deliveries that wait, of all; the oldest make way and are counted
  uint64_t max_attempts = 8;  // of one delivery; 5 s, 10 s, 20 s … apart
  uint64_t kept = 1000;       // finished deliveries that are remembered, of one webhook
  Millis timeout{10'000};     // of connecting, and of the answer
  Millis first_retry{5'000};  // after the first attempt; not configured
};

}  // namespace cay::api
