// Idempotency keys: which create a key stands for. A key is kept for 24 hours, and of all of them
// the youngest kMaxIdempotencyKeys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "store/database.h"

namespace cay::sandbox {

inline constexpr int64_t kIdempotencyKeyLifeMs = 24LL * 3600 * 1000;
inline constexpr size_t kMaxIdempotencyKeys = 100'000;

struct IdempotentCreate {
  std::string owner;
  std::string key;
  std::string digest;  // of what was asked for
  std::string sandbox;
  int64_t unix_ms = 0;
};

// Nothing for one that is not there, or is older than its life at `now_ms`.
Result<std::optional<IdempotentCreate>> FindIdempotentCreate(store::Database& db,
                                                             const std::string& owner,
                                                             const std::string& key,
                                                             int64_t now_ms);

// In the transaction of the sandbox's row. Replaces one that is older than its life.
Result<void> SaveIdempotentCreate(store::Database& db, const IdempotentCreate& create);

// Forgets what is too old, and what is over the number. From time to time.
Result<void> TrimIdempotentCreates(store::Database& db, int64_t now_ms);

}  // namespace cay::sandbox
