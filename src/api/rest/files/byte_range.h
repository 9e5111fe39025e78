// The Range field of a request (RFC 9110, 14.2). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace cay::api::rest {

struct ByteRange {
  uint64_t offset = 0;
  uint64_t length = 0;
  bool operator==(const ByteRange&) const = default;
};

// One range of `size` bytes. Nothing (all of it) for a field that is empty, not of bytes, wrong, or
// of several ranges, as the RFC allows; an error (416) for one that lies outside.
Result<std::optional<ByteRange>> ParseRange(std::string_view field, uint64_t size);

}  // namespace cay::api::rest
