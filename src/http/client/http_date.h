// HttpDate: dates in fields: Last-Modified, Retry-After (RFC 9110, 5.6.7). Pure.
//
//   ParseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT")      // 784111777 seconds
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace cay::http {

// Nothing for what is no date; the two obsolete forms are not read. The name of the day is not
// looked at.
std::optional<std::chrono::sys_seconds> ParseHttpDate(std::string_view text);

}  // namespace cay::http
