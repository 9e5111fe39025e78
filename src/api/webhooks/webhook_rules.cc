#include "api/webhooks/webhook_rules.h"

#include <algorithm>
#include <chrono>

#include "crypto/digest.h"

namespace cay::api {
namespace {

constexpr size_t kMaxPattern = 64;
constexpr size_t kMinSecret = 16;
constexpr size_t kMaxSecret = 256;
constexpr Millis kLongestDelay = std::chrono::hours(1);

bool IsTypeLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

}  // namespace

Result<void> CheckPattern(std::string_view pattern) {
  if (pattern == "*") return {};
  std::string_view type = pattern;
  if (type.ends_with(".*")) type.remove_suffix(2);
  const bool good =
      !type.empty() && pattern.size() <= kMaxPattern && std::ranges::all_of(type, IsTypeLetter);
  if (good) return {};
  return Failure(Error::Invalid("\"" + std::string(pattern) + "\" is not a pattern of events")
                     .WithRemedy("write *, sandbox.* or a type such as sandbox.created"));
}

bool Matches(std::string_view pattern, std::string_view type) {
  if (pattern == "*") return true;
  if (!pattern.ends_with(".*")) return pattern == type;
  pattern.remove_suffix(1);  // the dot stays
  return type.starts_with(pattern) && type.size() > pattern.size();
}

bool MatchesAny(const std::vector<std::string>& patterns, std::string_view type) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return Matches(pattern, type); });
}

Result<void> CheckWebhookSecret(std::string_view secret) {
  const bool good = secret.size() >= kMinSecret && secret.size() <= kMaxSecret &&
                    std::ranges::all_of(secret, [](char c) { return c > 0x20 && c < 0x7f; });
  if (good) return {};
  return Failure(Error::Invalid("\"secret\" must have 16 to 256 visible ASCII characters")
                     .WithRemedy("or leave it out: the server makes one"));
}

Result<std::string> WebhookSignature(std::string_view secret, int64_t unix_seconds,
                                     std::string_view body) {
  const std::string time = std::to_string(unix_seconds);
  return "t=" + time + ",v1=" + TRY(HmacSha256Hex(secret, time + "." + std::string(body)));
}

Millis RetryDelay(Millis first, uint64_t attempts) {
  Millis delay = std::min(first, kLongestDelay);
  for (uint64_t i = 1; i < attempts && delay < kLongestDelay; ++i) {
    delay = std::min(delay * 2, kLongestDelay);
  }
  return delay;
}

}  // namespace cay::api
