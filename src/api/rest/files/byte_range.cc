#include "api/rest/files/byte_range.h"

#include <algorithm>

#include "api/problem.h"
#include "base/units.h"

namespace cay::api::rest {

Result<std::optional<ByteRange>> ParseRange(std::string_view field, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!field.starts_with(kUnit)) return std::nullopt;
  const std::string_view range = field.substr(kUnit.size());
  const size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first_text = range.substr(0, dash);
  const std::string_view last_text = range.substr(dash + 1);
  const auto first = ParseUnsigned(first_text);
  const auto last = ParseUnsigned(last_text);
  if (first_text.empty()) {  // the last so many
    if (!last) return std::nullopt;
    const uint64_t length = std::min(*last, size);
    if (length == 0) return Failure(RangeNotSatisfiable(size));
    return ByteRange{size - length, length};
  }
  if (!first || (!last_text.empty() && (!last || *last < *first))) return std::nullopt;
  if (*first >= size) return Failure(RangeNotSatisfiable(size));
  const uint64_t end = last_text.empty() ? size - 1 : std::min(*last, size - 1);
  return ByteRange{*first, end - *first + 1};
}

}  // namespace cay::api::rest
