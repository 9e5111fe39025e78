#include "cli/local/keys_local.h"

#include <chrono>

#include "base/clock.h"
#include "base/os/paths.h"
#include "store/foreign_writes.h"
#include "store/store.h"

namespace cay::cli {
namespace {

Error WithMigrationHint(Error error) {
  if (error.code() != ErrorCode::kInternal) return error;
  return Error(error.code(), error.fault(), error.message())
      .WithRemedy("the running server may be of another version: end it, and try again");
}

// Through the store where no server has it: then the tables are made if need be. Otherwise beside
// the server, which has made them (SQLite's WAL lets two processes write in turn).
Result<void> WriteKeys(const std::string& state_dir, const store::Work& work) {
  const Paths paths = TRY(Paths::Resolve(state_dir));
  auto store = store::Store::Open(paths);
  if (store) return (*store)->WriteDurably(work);
  if (store.error().code() != ErrorCode::kAlreadyExists) {
    return Failure(std::move(store).error());
  }
  store::Database db =
      TRY(store::Database::Open(paths.state_dir + "/cay.db", store::Durability::kPower));
  auto done = db.Transact([&] { return work(db); });
  if (!done) return Failure(WithMigrationHint(std::move(done).error()));
  return store::LeaveForeignMark(paths.state_dir);
}

}  // namespace

Result<api::NewKey> CreateKeyLocally(const std::string& state_dir, const api::KeySpec& spec) {
  api::NewKey made = TRY(api::MakeKey(spec, UnixMs()));
  TRY(WriteKeys(state_dir, [&](store::Database& db) {
    return api::InsertKey(db, made.key, spec.max_sandboxes);
  }));
  return made;
}

Result<std::vector<api::ApiKey>> ListKeysLocally(const std::string& state_dir) {
  std::vector<api::ApiKey> keys;
  TRY(WriteKeys(state_dir, [&](store::Database& db) -> Result<void> {
    keys = TRY(api::ReadKeys(db));
    return {};
  }));
  return keys;
}

Result<void> RevokeKeyLocally(const std::string& state_dir, std::string_view id) {
  const int64_t now = UnixMs();
  return WriteKeys(state_dir, [&](store::Database& db) {
    return api::RevokeKey(db, id, now, api::LastAdmin::kMayGo);
  });
}

}  // namespace cay::cli
