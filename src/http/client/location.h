// Location: a server and what is asked of it: an http(s) URL with its path and query, and what a
// reference in an answer (a Location field, RFC 9110 section 10.2.2) means there. Pure.
//
//   const Location blob = TRY(Location::Parse("https://registry.example/v2/a/blobs/sha256:…"));
//   const Location next = TRY(blob.Resolve("/elsewhere?sign=…"));   // also "//host/x", "x", "?x"
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/client/client.h"

namespace cay::http {

struct Location {
  static constexpr size_t kMaxBytes = 16 * kKiB;  // signed addresses of stores have some KiB

  Url url;             // "http" or "https"
  std::string target;  // path and query, as they were written; begins with "/"

  // kInvalidArgument: over kMaxBytes, another scheme, a user, or characters that no URL has. A
  // fragment is the client's own business, and left away.
  static Result<Location> Parse(std::string_view text);
  // What `reference` means in an answer of this one (RFC 3986 section 5). The errors of Parse.
  Result<Location> Resolve(std::string_view reference) const;

  // Scheme, host and port, without path and query: what may be signed is in those.
  std::string Origin() const { return url.ToString(); }
  // What a Host field says (RFC 9110 section 7.2): without the port that the scheme has anyway.
  std::string HostField() const;
};

// Whether scheme, host and port are the same.
bool SameOrigin(const Url& one, const Url& other);

}  // namespace cay::http
