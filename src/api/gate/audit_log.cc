#include "api/gate/audit_log.h"

#include <algorithm>

namespace cay::api {
namespace {

constexpr size_t kMaxPath = 512;
constexpr uint64_t kPruneEvery = 256;

Result<void> Insert(store::Database& db, const AuditEntry& entry) {
  store::Statement insert =
      TRY(db.Prepare("INSERT INTO audit(unix_ms, request_id, owner, peer, operation, method, path, "
                     "status, key_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"));
  return insert.Run(entry.unix_ms, std::string_view(entry.request_id),
                    std::string_view(entry.owner), std::string_view(entry.peer),
                    std::string_view(entry.operation), std::string_view(entry.method),
                    std::string_view(entry.path), static_cast<int64_t>(entry.status),
                    std::string_view(entry.key_id));
}

Result<void> Prune(store::Database& db, uint64_t kept) {
  store::Statement prune =
      TRY(db.Prepare("DELETE FROM audit WHERE id <= (SELECT MAX(id) FROM audit) - ?1"));
  return prune.Run(static_cast<int64_t>(kept));
}

}  // namespace

void AuditLog::Add(AuditEntry entry) {
  if (entry.path.size() > kMaxPath) entry.path.resize(kMaxPath);
  const bool prune = added_++ % kPruneEvery == 0;
  store_.WriteLater(
      [entry = std::move(entry), prune, kept = kept_.load()](store::Database& db) -> Result<void> {
        TRY(Insert(db, entry));
        return prune ? Prune(db, kept) : Result<void>();
      });
}

Result<std::vector<AuditEntry>> AuditLog::List(const AuditFilter& filter) {
  TRY(store_.Flush());
  std::vector<AuditEntry> entries;
  TRY(store_.Read([&](store::Database& db) -> Result<void> {
    entries.clear();
    store::Statement row = TRY(db.Prepare(
        "SELECT id, unix_ms, request_id, owner, peer, operation, method, path, status, key_id FROM "
        "audit "
        "WHERE (?1 = '' OR owner = ?1) AND (?2 = 0 OR id < ?2) ORDER BY id DESC LIMIT ?3"));
    row.Bind(1, std::string_view(filter.owner));
    row.Bind(2, filter.before);
    row.Bind(3, static_cast<int64_t>(filter.limit));
    while (TRY(row.Step())) {
      entries.push_back({.id = row.Int(0),
                         .unix_ms = row.Int(1),
                         .request_id = row.Text(2),
                         .owner = row.Text(3),
                         .key_id = row.Text(9),
                         .peer = row.Text(4),
                         .operation = row.Text(5),
                         .method = row.Text(6),
                         .path = row.Text(7),
                         .status = static_cast<int>(row.Int(8))});
    }
    return {};
  }));
  return entries;
}

}  // namespace cay::api
