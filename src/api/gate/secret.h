// Secrets: made, hashed and compared so that none can be guessed, read from the store, or found by timing.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::api {

// `length` letters of [a-z0-9], 5.17 random bits each. Of getrandom(2).
Result<std::string> RandomText(size_t length);

// SHA-256 in hexadecimal. Enough for a secret of 200 random bits: there is nothing to try out.
Result<std::string> HashSecret(std::string_view secret);

// Lower-case hexadecimal HMAC-SHA256 (RFC 2104).
Result<std::string> HmacSha256Hex(std::string_view key, std::string_view message);

// Takes as long wherever they differ. Lengths are no secret.
bool ConstantTimeEqual(std::string_view a, std::string_view b);

}  // namespace cay::api
