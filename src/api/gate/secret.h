// Secrets: made and hashed so that none can be guessed, or read from the store. They are compared
// by ConstantTimeEqual (crypto/digest.h).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::api {

// `length` letters of [a-z0-9], 5.17 random bits each. Of getrandom(2).
Result<std::string> RandomText(size_t length);

// SHA-256 in hexadecimal. Enough for a secret of 200 random bits: there is nothing to try out.
Result<std::string> HashSecret(std::string_view secret);

}  // namespace cay::api
