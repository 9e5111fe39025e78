// Authority: a certificate authority of Cay's own, for TLS that Cay itself ends
// (network/intercept/). P-256 throughout: a key of RSA takes a quarter of a second to make.
//
//   const Identity root = TRY(MakeAuthority("Cay example"));
//   const Identity leaf = TRY(IssueLeaf(root, "api.example.com"));
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay {

// A certificate and its key, as PEM (RFC 7468).
struct Identity {
  static constexpr size_t kMaxBytes = size_t{16} * 1024;  // of each

  std::string certificate{};
  std::string key{};
};

// A leaf is good for so long, from a day before it is made: clocks differ.
inline constexpr std::chrono::hours kLeafLife{24 * 30};

// A root is good for so long, likewise.
inline constexpr std::chrono::hours kAuthorityLife{24 * 3650};

// A root that may sign leaves and no further authorities.
Result<Identity> MakeAuthority(std::string_view name);

// For a server of this name. kInvalidArgument where `authority` is not a certificate and its key,
// or the name is none.
Result<Identity> IssueLeaf(const Identity& authority, std::string_view name);

}  // namespace cay
