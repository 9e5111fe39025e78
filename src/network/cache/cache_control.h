// CacheControl: what Cache-Control fields say (RFC 9111, 5.2), of a request or of an answer. Pure.
//
// What cannot be read, and two values of one directive, are told as malformed: then nothing is
// known. Arguments of private and no-cache are read over: they hold for the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"

namespace cay::network {

// "600": seconds of RFC 9111, 1.2.2. Larger ones are 2^31, as it says. Nothing: no such number.
std::optional<uint64_t> ReadDeltaSeconds(std::string_view text);

struct CacheControl {
  bool malformed = false;
  bool no_store = false;
  bool no_cache = false;
  bool is_private = false;
  bool only_if_cached = false;
  std::optional<uint64_t> max_age{};
  std::optional<uint64_t> s_maxage{};

  friend bool operator==(const CacheControl&, const CacheControl&) = default;
};

// Of all fields of that name. Nothing: there is none.
std::optional<CacheControl> ReadCacheControl(const http::Headers& headers);

}  // namespace cay::network
