#include "sandbox/records/idempotency_table.h"

namespace cay::sandbox {

using store::Database;
using store::Statement;

Result<std::optional<IdempotentCreate>> FindIdempotentCreate(Database& db, const std::string& owner,
                                                             const std::string& key,
                                                             int64_t now_ms) {
  Statement select = TRY(
      db.Prepare("SELECT digest, sandbox, created_ms FROM idempotency_key WHERE owner = ?1 AND key "
                 "= ?2 AND created_ms > ?3"));
  select.Bind(1, owner);
  select.Bind(2, key);
  select.Bind(3, now_ms - kIdempotencyKeyLifeMs);
  if (!TRY(select.Step())) return std::nullopt;
  return IdempotentCreate{.owner = owner,
                          .key = key,
                          .digest = select.Text(0),
                          .sandbox = select.Text(1),
                          .unix_ms = select.Int(2)};
}

Result<void> SaveIdempotentCreate(Database& db, const IdempotentCreate& create) {
  return TRY(db.Prepare("INSERT OR REPLACE INTO idempotency_key VALUES (?1, ?2, ?3, ?4, ?5)"))
      .Run(std::string_view(create.owner), std::string_view(create.key),
           std::string_view(create.digest), std::string_view(create.sandbox), create.unix_ms);
}

Result<void> TrimIdempotentCreates(Database& db, int64_t now_ms) {
  TRY(TRY(db.Prepare("DELETE FROM idempotency_key WHERE created_ms <= ?1"))
          .Run(now_ms - kIdempotencyKeyLifeMs));
  return TRY(db.Prepare("DELETE FROM idempotency_key WHERE created_ms <= (SELECT created_ms FROM "
                        "idempotency_key ORDER BY created_ms DESC LIMIT 1 OFFSET ?1)"))
      .Run(static_cast<int64_t>(kMaxIdempotencyKeys));
}

}  // namespace cay::sandbox
