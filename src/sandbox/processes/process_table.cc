#include "sandbox/processes/process_table.h"

#include "base/os/log.h"
#include "protocol/message_codec.h"
#include "sandbox/commands/command_patterns.h"

namespace cay::sandbox::process_table {
namespace {

constexpr size_t kMaxText = 64 * 1024;

// A row's document, in the encoding of the protocol: commands are bytes.
struct Document {
  ProcessRow row;
  static void Fields(auto& self, auto& codec) {
    auto& record = self.row.record;
    codec.Field(1, record.pid);
    codec.Field(2, record.command, size_t{1024}, kMaxText);
    codec.Field(3, record.tag, kMaxText);
    codec.Field(4, record.terminal);
    codec.Field(5, record.state, ProcessState::kLost);
    codec.Field(6, record.reason, kMaxText);
    codec.Field(7, record.exit_code);
    codec.Field(8, record.signal);
    codec.Field(9, record.timed_out);
    codec.Field(10, record.oom_killed);
    codec.Field(11, record.disk_full);
    codec.Field(12, record.core_dumped);
    codec.Field(13, record.output_cut);
    codec.Field(14, record.started_unix_ms);
    codec.Field(15, record.ended_unix_ms);
    codec.Field(16, record.duration_ms);
    codec.Field(17, record.cpu_ms);
    codec.Field(18, record.max_rss);
    codec.Field(19, record.output_end);
    codec.Field(20, record.leftover_count);
    codec.Field(21, record.leftovers, protocol::kMaxLeftovers);
    codec.Field(22, record.deadline_unix_ms);
    codec.Field(23, self.row.kill_leftovers);
    codec.Field(24, self.row.oom_kills_before);
    codec.Field(25, self.row.kill_grace_ms);
    codec.Field(26, record.cpu_limit_ms);
    codec.Field(27, record.flagged, CommandPatterns::kMaxPatterns, CommandPatterns::kMaxNameBytes);
    codec.Field(28, record.guest_end, kLastGuestEndKind);
  }
};

#define CAY_COLUMNS "sandbox, id, life_ms, guest_process, document"

Result<ProcessRow> RowOf(const store::Statement& statement) {
  auto document = TRY(protocol::Decode<Document>(statement.Text(4), protocol::Unknown::kSkipped));
  ProcessRecord& record = document.row.record;
  if (record.state == ProcessState::kLost && record.guest_end == GuestEndKind::kUnknown) {
    record.guest_end = GuestEndOfReason(record.reason);
  }
  document.row.record.sandbox = statement.Text(0);
  document.row.record.id = static_cast<uint64_t>(statement.Int(1));
  document.row.life_started_ms = statement.Int(2);
  document.row.guest_process = static_cast<uint64_t>(statement.Int(3));
  return std::move(document.row);
}

Result<std::vector<ProcessRow>> Rows(store::Statement& statement) {
  std::vector<ProcessRow> rows;
  while (TRY(statement.Step())) {
    // One that is damaged stays in the table, and costs nobody the others.
    auto row = RowOf(statement);
    if (row) {
      rows.push_back(std::move(*row));
    } else {
      LogWarning("process " + statement.Text(1) + " of sandbox " + statement.Text(0) + ": " +
                 row.error().message());
    }
  }
  return rows;
}

}  // namespace

Result<void> Put(store::Database& db, const ProcessRow& row) {
  store::Statement put = TRY(db.Prepare("INSERT OR REPLACE INTO process(" CAY_COLUMNS
                                        ", running) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"));
  put.Bind(1, std::string_view(row.record.sandbox));
  put.Bind(2, static_cast<int64_t>(row.record.id));
  put.Bind(3, row.life_started_ms);
  put.Bind(4, static_cast<int64_t>(row.guest_process));
  put.BindBlob(5, protocol::Encode(Document{row}));
  put.Bind(6, int64_t{row.record.state == ProcessState::kRunning});
  TRY(put.Step());
  return {};
}

Result<void> Forget(store::Database& db, const std::string& sandbox, size_t keep) {
  store::Statement forget =
      TRY(db.Prepare("DELETE FROM process WHERE sandbox = ?1 AND running = 0 AND id <="
                     " (SELECT id FROM process WHERE sandbox = ?1 AND running = 0"
                     " ORDER BY id DESC LIMIT 1 OFFSET ?2)"));
  return forget.Run(std::string_view(sandbox), static_cast<int64_t>(keep));
}

Result<void> ForgetSandbox(store::Database& db, const std::string& sandbox) {
  store::Statement forget = TRY(db.Prepare("DELETE FROM process WHERE sandbox = ?1"));
  return forget.Run(std::string_view(sandbox));
}

Result<void> ForgetUnknownSandboxes(store::Database& db) {
  return db.Execute(
      "DELETE FROM process WHERE sandbox NOT IN (SELECT id FROM sandbox WHERE ended_ms IS NULL)");
}

Result<std::optional<ProcessRow>> Find(store::Database& db, const std::string& sandbox,
                                       uint64_t id) {
  store::Statement find =
      TRY(db.Prepare("SELECT " CAY_COLUMNS " FROM process WHERE sandbox = ?1 AND id = ?2"));
  find.Bind(1, std::string_view(sandbox));
  find.Bind(2, static_cast<int64_t>(id));
  if (!TRY(find.Step())) return std::nullopt;
  return TRY(RowOf(find));
}

Result<std::vector<ProcessRow>> OfSandbox(store::Database& db, const std::string& sandbox,
                                          size_t limit) {
  store::Statement list = TRY(db.Prepare(
      "SELECT " CAY_COLUMNS " FROM process WHERE sandbox = ?1 ORDER BY id DESC LIMIT ?2"));
  list.Bind(1, std::string_view(sandbox));
  list.Bind(2, static_cast<int64_t>(limit));
  return Rows(list);
}

Result<std::vector<ProcessRow>> Running(store::Database& db) {
  store::Statement list =
      TRY(db.Prepare("SELECT " CAY_COLUMNS " FROM process WHERE running = 1 ORDER BY sandbox, id"));
  return Rows(list);
}

Result<std::map<std::string, LastProcess>> LastOfEach(store::Database& db) {
  // The other columns are those of the row with the maximum (SQLite, "Bare columns in an aggregate
  // query").
  store::Statement list = TRY(
      db.Prepare("SELECT sandbox, max(id), guest_process, life_ms FROM process GROUP BY sandbox"));
  std::map<std::string, LastProcess> last;
  while (TRY(list.Step())) {
    last[list.Text(0)] = {.id = static_cast<uint64_t>(list.Int(1)),
                          .guest_process = static_cast<uint64_t>(list.Int(2)),
                          .life_started_ms = list.Int(3)};
  }
  return last;
}

}  // namespace cay::sandbox::process_table
