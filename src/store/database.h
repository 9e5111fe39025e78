// Database: SQLite, as the store uses it: values are bound and never part of a statement's text,
// and a transaction cannot be left open.
//
//   Database db = TRY(Database::Open(path, Durability::kProcess));
//   Statement insert = TRY(db.Prepare("INSERT INTO key(id, name) VALUES(?1, ?2)"));
//   TRY(insert.Run(id, name));
//   TRY(db.Transact([&]() -> Result<void> { … }));       // rolled back when it fails
//
// Prepared statements are kept: preparing the same text again costs a look-up. A Statement must not
// outlive its Database.
//
// One thread at a time (store.h holds the lock). SQLITE_FULL is kResourceExhausted, SQLITE_IOERR
// and SQLITE_READONLY are kIo of the machine: nothing that failed has happened. A broken UNIQUE is
// kAlreadyExists.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;  // of sqlite3.h, which only database.cc needs
struct sqlite3_stmt;

namespace cay::store {

// What a commit survives.
enum class Durability : uint8_t {
  kProcess,  // the death of every process (synchronous=NORMAL in WAL mode)
  kPower,    // the loss of power (synchronous=FULL)
};

// Which processes may have it open at the same time.
enum class Sharing : uint8_t {
  kEverybody,  // other processes too; needs a small file beside the database, and so some room on the disk
  kThisProcess,  // its own connections: where there is no room
};

// Whether an error says that the file is damaged, or no database: to try again does not help.
bool IsDamage(const Error& error);

class IdleStatements;

class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) noexcept;
  ~Statement();

  // Binds, from ?1 on. Text is copied.
  void Bind(int index, int64_t value);
  void Bind(int index, std::string_view text);
  void BindBlob(int index, std::string_view bytes);
  void BindNull(int index);

  // One step: true when there is a row.
  Result<bool> Step();
  void Reset();  // and clears what was bound

  int64_t Int(int column) const;
  std::string Text(int column) const;  // blobs too
  bool IsNull(int column) const;

  // Bind all, step to the end, reset.
  template <class... T>
  Result<void> Run(const T&... values);

 private:
  friend class Database;
  Statement(IdleStatements* idle, sqlite3_stmt* statement) : idle_(idle), statement_(statement) {}
  void GiveBack() noexcept;
  IdleStatements* idle_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  static Result<Database> Open(const std::string& path, Durability durability,
                               Sharing sharing = Sharing::kEverybody);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  Result<Statement> Prepare(std::string_view sql);
  Result<void> Execute(std::string_view sql);
  // BEGIN IMMEDIATE … COMMIT.
  Result<void> Transact(const std::function<Result<void>()>& work);
  // Inside a transaction: what `work` did is undone when it fails, what came before is not.
  Result<void> TransactInside(const std::function<Result<void>()>& work);
  // For the commits from now on; not inside a transaction.
  Result<void> SetDurability(Durability durability);
  // The last connection that is closed copies the log into the database, and removes it, unless
  // `keep`: as long as the two are not known to be sound.
  void KeepLogOnClose(bool keep);
  // PRAGMA quick_check; the error names what is wrong.
  Result<void> CheckIntegrity();
  int64_t ChangedRows() const;

 private:
  explicit Database(sqlite3* db);
  void Close() noexcept;
  sqlite3* db_;
  std::unique_ptr<IdleStatements> idle_;
};

template <class... T>
Result<void> Statement::Run(const T&... values) {
  int index = 0;
  (Bind(++index, values), ...);
  const auto stepped = Step();
  Reset();
  if (!stepped) return Failure(stepped.error());
  return {};
}

}  // namespace cay::store
