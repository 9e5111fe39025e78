#include "store/migrations.h"

#include <array>
#include <string>

namespace cay::store {
namespace {

// sandbox/records/sandbox_table.cc. `state`: a SandboxState's name, or "destroying" between the
// promise to destroy and the deed. What no query looks for is one JSON document. Destroyed ones
// stay, as history, with `ended_ms`.
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

// sandbox/records/idempotency_table.cc.
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

// sandbox/events/event_log.cc.
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

// sandbox/projects/project_file_table.cc. `name` is the one in the project's directory.
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

// api/gate/key_table.cc. `hash`: SHA-256 of the secret. The generation tells a server what another
// process changed.
constexpr Migration kApiKeys = {"API keys", R"(
CREATE TABLE api_key (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  hash TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  last_used_ms INTEGER,
  revoked_ms INTEGER,
  requests_per_second INTEGER NOT NULL,
  max_sandboxes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE api_key_generation (value INTEGER NOT NULL);
INSERT INTO api_key_generation(value) VALUES(0);
)"};

// api/gate/audit_log.cc.
constexpr Migration kAudit = {"audit log", R"(
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  unix_ms INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  peer TEXT NOT NULL,
  operation TEXT NOT NULL,
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  status INTEGER NOT NULL
);
)"};

// api/webhooks/webhook_table.cc. The secret is kept as it is: each delivery is signed with it.
// `cursor`: the last event that became deliveries.
constexpr Migration kWebhooks = {"webhooks", R"(
CREATE TABLE webhook (
  id TEXT PRIMARY KEY,
  url TEXT NOT NULL,
  events TEXT NOT NULL,
  secret TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE webhook_delivery (
  id INTEGER PRIMARY KEY,
  webhook TEXT NOT NULL,
  event INTEGER NOT NULL,
  type TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  next_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  status INTEGER,
  error TEXT NOT NULL
);
CREATE INDEX webhook_delivery_due ON webhook_delivery(next_ms) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_of ON webhook_delivery(webhook, id);
CREATE TABLE webhook_cursor (event INTEGER NOT NULL);
INSERT INTO webhook_cursor(event) VALUES(0);
)"};

// sandbox/processes/process_table.cc. `document` is in the protocol's encoding. `life_ms` says
// which of the sandbox's guests had it, and `guest_process` as what.
constexpr Migration kProcesses = {"processes", R"(
CREATE TABLE process (
  sandbox TEXT NOT NULL,
  id INTEGER NOT NULL,
  life_ms INTEGER NOT NULL,
  guest_process INTEGER NOT NULL,
  running INTEGER NOT NULL,
  document BLOB NOT NULL,
  PRIMARY KEY (sandbox, id)
) WITHOUT ROWID;
CREATE INDEX process_running ON process(sandbox) WHERE running = 1;
)"};

// No table: what lies beside the database has a form from here on that programs before it would
// take for garbage, and remove with the sandboxes it belongs to (engine/native/record/record.h).
// The number keeps them from starting.
constexpr Migration kNumberedRecords = {"records with numbered fields", ""};

// api/gate/key_table.cc. Until here the owner of what was made with a key was the key: its id is
// its owner's name. What an owner may have is its own, whichever of its keys asks; an owner without
// a row has what the configuration says. The audit says who as both. A webhook of an empty owner is
// told of everybody's events.
constexpr Migration kOwners = {"owners of keys", R"(
CREATE TABLE owner (
  name TEXT PRIMARY KEY,
  max_sandboxes INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO owner(name, max_sandboxes) SELECT id, max_sandboxes FROM api_key WHERE max_sandboxes <> 0;
ALTER TABLE api_key DROP COLUMN max_sandboxes;
ALTER TABLE api_key ADD COLUMN owner TEXT NOT NULL DEFAULT '';
UPDATE api_key SET owner = id;
ALTER TABLE audit ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
UPDATE audit SET key_id = owner WHERE owner <> 'local';
ALTER TABLE webhook ADD COLUMN owner TEXT NOT NULL DEFAULT '';
)"};

// sandbox/templates/pull_table.cc. `document` is in the protocol's encoding; `active`: a server
// that starts finds that it was interrupted.
constexpr Migration kTemplatePulls = {"pulls of templates", R"(
CREATE TABLE template_pull (
  id TEXT PRIMARY KEY,
  asked_ms INTEGER NOT NULL,
  active INTEGER NOT NULL,
  document BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX template_pull_age ON template_pull(asked_ms);
)"};

// sandbox/builds/build_table.cc; as above.
constexpr Migration kTemplateBuilds = {"builds of templates", R"(
CREATE TABLE template_build (
  id TEXT PRIMARY KEY,
  asked_ms INTEGER NOT NULL,
  active INTEGER NOT NULL,
  document BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX template_build_age ON template_build(asked_ms);
)"};

// sandbox/templates/push_table.cc; as above.
constexpr Migration kTemplatePushes = {"pushes of templates", R"(
CREATE TABLE template_push (
  id TEXT PRIMARY KEY,
  asked_ms INTEGER NOT NULL,
  active INTEGER NOT NULL,
  document BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX template_push_age ON template_push(asked_ms);
)"};

// In the order in which they are taken. New ones go to the end.
constexpr std::array kAll = {
    kSandboxes,     kIdempotencyKeys, kEvents,         kProjectFiles,    kApiKeys,
    kAudit,         kWebhooks,        kProcesses,      kNumberedRecords, kOwners,
    kTemplatePulls, kTemplateBuilds,  kTemplatePushes,
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
              "the database is of version " + std::to_string(seen) + ", and this cay knows only " +
                  std::to_string(known))
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
