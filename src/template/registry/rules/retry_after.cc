#include "template/registry/rules/retry_after.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/text.h"
#include "http/client/http_date.h"

namespace cay::templates::registry {
namespace {

constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 36'525);

}  // namespace

std::optional<Millis> RetryAfter(const http::Headers& headers) {
  const auto field = headers.Find("Retry-After");
  if (!field) return std::nullopt;
  const std::string_view text = Trim(*field);
  if (const auto seconds = ParseUnsigned(text))
    return Millis(std::min<uint64_t>(*seconds, kLongest.count()) * 1000);
  const auto date = http::ParseHttpDate(text);
  if (!date) return std::nullopt;
  const Millis wait =
      std::chrono::duration_cast<Millis>(date->time_since_epoch()) - Millis(UnixMs());
  return std::clamp<Millis>(wait, Millis(0), kLongest);
}

}  // namespace cay::templates::registry
