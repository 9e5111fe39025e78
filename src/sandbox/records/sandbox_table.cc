#include "sandbox/records/sandbox_table.h"

#include "sandbox/records/sandbox_json.h"

namespace cay::sandbox {
namespace {

using store::Database;
using store::Statement;

constexpr std::string_view kDestroying = "destroying";

}  // namespace

Result<void> SaveSandbox(Database& db, const SandboxRecord& record) {
  Statement save = TRY(db.Prepare(
      "INSERT INTO sandbox(id, owner, name, state, reason, created_ms, started_ms, activity_ms, "
      "expires_ms, executions, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) "
      "ON CONFLICT(id) DO UPDATE SET name = ?3, state = ?4, reason = ?5, started_ms = ?7, "
      "activity_ms = ?8, expires_ms = ?9, executions = ?10, document = ?11"));
  const SandboxView& view = record.view;
  save.Bind(1, view.id.text());
  save.Bind(2, view.owner);
  save.Bind(3, view.spec.name);
  save.Bind(4, SandboxStateName(view.state));
  save.Bind(5, view.reason);
  save.Bind(6, view.created_unix_ms);
  save.Bind(7, view.started_unix_ms);
  save.Bind(8, view.last_activity_unix_ms);
  if (view.expires_unix_ms) {
    save.Bind(9, *view.expires_unix_ms);
  } else {
    save.BindNull(9);
  }
  save.Bind(10, static_cast<int64_t>(view.executions));
  save.Bind(11, DocumentOf(record));
  TRY(save.Step());
  return {};
}

Result<void> SaveActivity(Database& db, const SandboxId& id, const Activity& activity) {
  return TRY(db.Prepare("UPDATE sandbox SET activity_ms = ?2, executions = ?3 WHERE id = ?1 AND "
                        "ended_ms IS NULL"))
      .Run(std::string_view(id.text()), activity.last_activity_ms,
           static_cast<int64_t>(activity.executions));
}

Result<void> MarkDestroying(Database& db, const SandboxId& id, const std::string& reason) {
  return TRY(db.Prepare("UPDATE sandbox SET state = ?2, reason = ?3 WHERE id = ?1"))
      .Run(std::string_view(id.text()), kDestroying, std::string_view(reason));
}

Result<void> MarkDestroyed(Database& db, const SandboxId& id, const std::string& reason,
                           int64_t unix_ms) {
  TRY(TRY(db.Prepare("UPDATE sandbox SET state = ?2, reason = ?3, document = '', ended_ms = ?4 "
                     "WHERE id = ?1"))
          .Run(std::string_view(id.text()), SandboxStateName(SandboxState::kDestroyed),
               std::string_view(reason), unix_ms));
  // Those that are over the number; the index has them in order.
  return TRY(db.Prepare("DELETE FROM sandbox WHERE ended_ms < (SELECT ended_ms FROM sandbox WHERE "
                        "ended_ms IS NOT NULL ORDER BY ended_ms DESC LIMIT 1 OFFSET ?1)"))
      .Run(static_cast<int64_t>(kDestroyedKept - 1));
}

Result<void> RemoveRow(Database& db, const SandboxId& id) {
  return TRY(db.Prepare("DELETE FROM sandbox WHERE id = ?1")).Run(std::string_view(id.text()));
}

Result<std::vector<StoredSandbox>> LoadSandboxes(Database& db) {
  Statement select = TRY(db.Prepare(
      "SELECT id, owner, state, reason, created_ms, started_ms, activity_ms, expires_ms, "
      "executions, document FROM sandbox WHERE ended_ms IS NULL ORDER BY created_ms, id"));
  std::vector<StoredSandbox> found;
  while (TRY(select.Step())) {
    StoredSandbox stored{.record = SandboxRecord(TRY(SandboxId::Parse(select.Text(0))))};
    SandboxView& view = stored.record.view;
    view.owner = select.Text(1);
    const std::string state = select.Text(2);
    stored.destroying = state == kDestroying;
    view.state = SandboxStateFromName(state).value_or(SandboxState::kFailed);
    view.reason = select.Text(3);
    view.created_unix_ms = select.Int(4);
    view.started_unix_ms = select.Int(5);
    view.last_activity_unix_ms = select.Int(6);
    if (!select.IsNull(7)) view.expires_unix_ms = select.Int(7);
    view.executions = static_cast<uint64_t>(select.Int(8));
    if (const auto read = ReadDocument(select.Text(9), stored.record); !read)
      stored.damage = read.error().message();
    found.push_back(std::move(stored));
  }
  return found;
}

Result<std::optional<DestroyedSandbox>> FindDestroyed(Database& db, std::string_view which,
                                                      const QualifiedName& called) {
  Statement select =
      TRY(db.Prepare("SELECT id, owner, name, reason, created_ms, ended_ms FROM sandbox WHERE "
                     "ended_ms IS NOT NULL "
                     "AND (id = ?1 OR (name = ?2 AND owner = ?3)) ORDER BY ended_ms DESC LIMIT 1"));
  select.Bind(1, which);
  select.Bind(2, std::string_view(called.name));
  select.Bind(3, std::string_view(called.owner));
  if (!TRY(select.Step())) return std::nullopt;
  SandboxId id = TRY(SandboxId::Parse(select.Text(0)));
  return DestroyedSandbox{.id = std::move(id),
                          .owner = select.Text(1),
                          .name = select.Text(2),
                          .reason = select.Text(3),
                          .created_unix_ms = select.Int(4),
                          .destroyed_unix_ms = select.Int(5)};
}

}  // namespace cay::sandbox
