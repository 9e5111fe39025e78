// Gzip: whether a whole response is worth compressing for this client, and doing it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace cay::http {

// Accept-Encoding names gzip, or *, with a weight over 0 (RFC 9110, 12.5.3).
bool AcceptsGzip(const Headers& request_headers);

// Of a kind that gets smaller, 1 KiB to 16 MiB large, with a body, and not encoded already.
bool IsWorthGzip(const Response& response);

// Nothing when zlib cannot, or when it did not get smaller.
std::optional<std::string> Gzip(std::string_view bytes);

}  // namespace cay::http
