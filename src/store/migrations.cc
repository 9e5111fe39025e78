#include "store/migrations.h"

#include <array>
#include <string>

namespace cay::store {
namespace {

// sandbox/sandbox_table.cc. `state`: a SandboxState's name, or "destroying" between the promise to
// destroy and the deed. What no query looks for is one JSON document. Destroyed ones stay, as
// history, with `ended_ms`.
constexpr Migration kSandboxes = {"sandboxes", R"(
CREATE TABLE sandbox (
  id TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  started_ms INTEGER NOT NULL,
  activity_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  executions INTEGER NOT NULL,
  document TEXT NOT NULL,
  ended_ms INTEGER
) WITHOUT ROWID;
CREATE UNIQUE INDEX sandbox_name ON sandbox(owner, name) WHERE name <> '' AND ended_ms IS NULL;
CREATE INDEX sandbox_ended ON sandbox(ended_ms) WHERE ended_ms IS NOT NULL;
)"};

// sandbox/idempotency_table.cc.
constexpr Migration kIdempotencyKeys = {"idempotency keys", R"(
CREATE TABLE idempotency_key (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_key_age ON idempotency_key(created_ms);
)"};

// sandbox/event_log.cc.
constexpr Migration kEvents = {"events", R"(
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  unix_ms INTEGER NOT NULL,
  type TEXT NOT NULL,
  sandbox TEXT NOT NULL,
  owner TEXT NOT NULL,
  reason TEXT NOT NULL,
  data TEXT NOT NULL
);
)"};

// sandbox/project_file_table.cc. `name` is the one in the project's directory.
constexpr Migration kProjectFiles = {"project files", R"(
CREATE TABLE project_file (
  id TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  original_name TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  content_type TEXT NOT NULL,
  size INTEGER NOT NULL,
  uploaded_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX project_file_name ON project_file(project, owner, name);
)"};

// In the order in which they are taken. New ones go to the end.
constexpr std::array kAll = {
    kSandboxes,
    kIdempotencyKeys,
    kEvents,
    kProjectFiles,
};

Result<int64_t> UserVersion(Database& db) {
  Statement version = TRY(db.Prepare("PRAGMA user_version"));
  TRY(version.Step());
  return version.Int(0);
}

}  // namespace

std::span<const Migration> AllMigrations() { return kAll; }

Result<void> Migrate(Database& db, std::span<const Migration> migrations) {
  const int64_t seen = TRY(UserVersion(db));
  const auto known = static_cast<int64_t>(migrations.size());
  if (seen < 0 || seen > known) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kMachine,
              "the database is of version " + std::to_string(seen) +
                  ", and this program knows only " + std::to_string(known))
            .WithRemedy("use the newer cay that wrote it, or a copy of cay.db from before "
                        "the upgrade"));
  }
  for (int64_t step = seen; step < known; ++step) {
    const Migration& migration = migrations[static_cast<size_t>(step)];
    const Result<void> done = db.Transact([&]() -> Result<void> {
      TRY(db.Execute(migration.sql));
      return db.Execute("PRAGMA user_version=" + std::to_string(step + 1));
    });
    if (!done) {
      Error error = done.error();
      return Failure(std::move(error).WithContext("migrating the database to \"" +
                                                  std::string(migration.name) + "\""));
    }
  }
  return {};
}

}  // namespace cay::store
