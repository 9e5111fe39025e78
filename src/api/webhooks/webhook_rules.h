// Rules of webhooks that need no machine: what a pattern matches, how a delivery is signed, when it
// is tried again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace cay::api {

inline constexpr size_t kMaxPatterns = 32;  // of one webhook

// "*", "sandbox.*" or a type as it stands. kInvalidArgument.
Result<void> CheckPattern(std::string_view pattern);
bool Matches(std::string_view pattern, std::string_view type);
bool MatchesAny(const std::vector<std::string>& patterns, std::string_view type);

// 16 to 256 bytes of visible ASCII. kInvalidArgument.
Result<void> CheckWebhookSecret(std::string_view secret);

// X-Cay-Signature: "t=UNIX,v1=hex(HMAC-SHA256(secret, t + "." + body))".
Result<std::string> WebhookSignature(std::string_view secret, int64_t unix_seconds,
                                     std::string_view body);

// How long to wait after the `attempts`-th attempt has failed: `first`, twice, four times …, at
// most an hour.
Millis RetryDelay(Millis first, uint64_t attempts);

}  // namespace cay::api
