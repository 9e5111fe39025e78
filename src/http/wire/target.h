// Target: the second word of a request line (RFC 9112, section 3.2), and what it asks for. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace cay::http {

struct Target {
  std::string authority;  // of the absolute and the authority form; it replaces Host
  std::string path;       // still percent-encoded; "*" for OPTIONS *
  std::vector<std::pair<std::string, std::string>> query;  // decoded; "+" is a space
};

// origin-form, absolute-form (http, https), authority-form for CONNECT, "*" for OPTIONS.
// kInvalidArgument for anything else, for malformed percent-encodings, and for an encoded NUL.
Result<Target> ParseTarget(std::string_view method, std::string_view target);

// "%41" to "A"; kInvalidArgument for what is no encoding, or an encoded NUL.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_space = false);

// Whether this can be the value of a Host field (RFC 9110, 7.2), as far as its characters go.
bool IsHost(std::string_view text);

}  // namespace cay::http
