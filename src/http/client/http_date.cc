#include "http/client/http_date.h"

#include <algorithm>
#include <array>

#include "base/units.h"

namespace cay::http {

std::optional<std::chrono::sys_seconds> ParseHttpDate(std::string_view text) {
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

}  // namespace cay::http
