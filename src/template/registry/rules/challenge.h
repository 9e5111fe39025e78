// Challenges: what a server that answers 401 wants to be shown (RFC 9110, 11.6.1). Pure.
//
//   WWW-Authenticate: Bearer realm="https://auth.example/token",service="x",scope="repository:a:pull"
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/string_map.h"
#include "http/message.h"

namespace cay::templates::registry {

struct Challenge {
  static constexpr size_t kMaxChallenges = 8;
  static constexpr size_t kMaxParameters = 16;
  static constexpr size_t kMaxValue = 4096;  // bytes

  std::string scheme;      // in lower case: "bearer", "basic"
  StringMap parameters{};  // names in lower case, values without their quotes

  std::string Parameter(const std::string& name) const;  // empty: not there
};

// Of one field. kProtocol for what is none, or has more of something than above, or a parameter
// twice.
Result<std::vector<Challenge>> ParseChallenges(std::string_view field);
// Of all fields of that name.
Result<std::vector<Challenge>> ChallengesOf(const http::Headers& headers);
// The first of `scheme` (in lower case).
const Challenge* FindChallenge(const std::vector<Challenge>& challenges, std::string_view scheme);

}  // namespace cay::templates::registry
