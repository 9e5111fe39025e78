// API keys as the store has them. The secret is not among them, only its hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/route.h"
#include "base/result.h"
#include "store/database.h"

namespace cay::api {

std::string_view ScopeName(Scope scope);  // "read", "use", "admin"
std::optional<Scope> ScopeFromName(std::string_view name);

struct ApiKey {
  std::string id;     // [a-z0-9]{12}
  std::string name;   // for people
  std::string owner;  // of it, and of what is made with it (sandbox::CheckOwnerName)
  Scope scope = Scope::kUse;
  std::string hash;  // of the secret
  int64_t created_unix_ms = 0;
  std::optional<int64_t> expires_unix_ms;
  std::optional<int64_t> last_used_unix_ms;  // to the minute
  std::optional<int64_t> revoked_unix_ms;
  uint64_t requests_per_second = 0;  // 0: the configured rate
  uint64_t max_sandboxes = 0;        // of its owner; 0: the configured number

  bool Works(int64_t now_unix_ms) const {
    return !revoked_unix_ms && (!expires_unix_ms || now_unix_ms < *expires_unix_ms);
  }
};

inline constexpr size_t kMaxKeys = 10'000;
inline constexpr size_t kMaxRevokedKeys = 1'000;  // that are remembered

// What is asked for.
struct KeySpec {
  std::string name = {};   // 1 to 128 bytes, no control characters
  std::string owner = {};  // empty: an owner of its own, with the key's id as name
  Scope scope = Scope::kUse;
  std::optional<Millis> expires_in = std::nullopt;
  uint64_t requests_per_second = 0;
  std::optional<uint64_t> max_sandboxes = std::nullopt;  // of the owner; nothing: as it is
};

// A new key and what its owner must send: "cay_ID_SECRET", shown once.
struct NewKey {
  ApiKey key;
  std::string token;
};
Result<NewKey> MakeKey(const KeySpec& spec, int64_t now_unix_ms);

// "cay_ID_SECRET" taken apart; nothing for what has another form.
struct KeyParts {
  std::string_view id;
  std::string_view secret;
};
std::optional<KeyParts> ParseToken(std::string_view token);

// Of the table. Each change also advances the generation, by which a server sees changes by another
// process. `max_sandboxes` becomes the owner's, for all of its keys.
Result<void> InsertKey(store::Database& db, const ApiKey& key,
                       std::optional<uint64_t> max_sandboxes = std::nullopt);
// Whether the last working key of scope admin may be revoked: without one, keys can be made only by
// a user who can write to the state directory.
enum class LastAdmin : uint8_t { kStays, kMayGo };
// kNotFound; kIllegalState when it is the last one and must stay.
Result<void> RevokeKey(store::Database& db, std::string_view id, int64_t now_unix_ms,
                       LastAdmin last);
Result<void> TouchKey(store::Database& db, std::string_view id, int64_t now_unix_ms);
Result<std::vector<ApiKey>> ReadKeys(store::Database& db);  // oldest first, revoked ones too
Result<int64_t> KeyGeneration(store::Database& db);

}  // namespace cay::api
