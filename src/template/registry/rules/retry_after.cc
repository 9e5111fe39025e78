#include "template/registry/rules/retry_after.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "base/clock.h"
#include "base/text.h"

namespace cay::templates::registry {
namespace {

constexpr std::chrono::seconds kLongest = std::chrono::hours(24 * 36'525);

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, 5.6.7); the two obsolete forms are not read.
std::optional<std::chrono::sys_seconds> ReadDate(std::string_view text) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':')
    return std::nullopt;
  const auto number = [&](size_t at, size_t size, unsigned max) {
    return ParseUnsigned(text.substr(at, size), max);
  };
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  const auto day = number(5, 2, 31);
  const auto year = number(12, 4, 9999);
  const auto hour = number(17, 2, 23);
  const auto minute = number(20, 2, 59);
  const auto second = number(23, 2, 60);
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date(
      std::chrono::year(static_cast<int>(*year)),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin() + 1)),
      std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

}  // namespace

std::optional<Millis> RetryAfter(const http::Headers& headers) {
  const auto field = headers.Find("Retry-After");
  if (!field) return std::nullopt;
  const std::string_view text = Trim(*field);
  if (const auto seconds = ParseUnsigned(text))
    return Millis(std::min<uint64_t>(*seconds, kLongest.count()) * 1000);
  const auto date = ReadDate(text);
  if (!date) return std::nullopt;
  const Millis wait =
      std::chrono::duration_cast<Millis>(date->time_since_epoch()) - Millis(UnixMs());
  return std::clamp<Millis>(wait, Millis(0), kLongest);
}

}  // namespace cay::templates::registry
