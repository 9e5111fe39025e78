#include "store/database.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace cay::store {
namespace {

// Of every kind together; a server has some dozens of different ones.
constexpr size_t kMaxIdleStatements = 256;

// How long a commit waits for somebody else's lock (a backup, the sqlite3 program).
constexpr int kBusyPatienceMs = 5000;

// As the kernel says it of a filesystem.
constexpr int kDamageErrno = EUCLEAN;

Error Damaged(std::string message) {
  Error error =
      Error(ErrorCode::kIo, Fault::kMachine, std::move(message))
          .WithRemedy(
              "put back a copy of cay.db from before, or move it away with its -wal, for a new "
              "one: sandboxes that neither knows are kept as orphaned (cay ps, cay adopt)");
  error.set_sys_errno(kDamageErrno);
  return error;
}

// What SQLite's last failure on this connection is to us.
Error SqliteError(sqlite3* db, std::string_view what) {
  const int code = db == nullptr ? SQLITE_NOMEM : sqlite3_extended_errcode(db);
  std::string message = "the database: " + std::string(what) + ": " +
                        (db == nullptr ? "out of memory" : sqlite3_errmsg(db));
  const int sys_errno = db == nullptr ? 0 : sqlite3_system_errno(db);
  const int primary = code & 0xff;
  const bool from_system = primary == SQLITE_FULL || primary == SQLITE_IOERR ||
                           primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY;
  if (from_system && sys_errno != 0) message += std::string(" (") + std::strerror(sys_errno) + ")";
  switch (primary) {
    case SQLITE_FULL:
      return Error(ErrorCode::kResourceExhausted, Fault::kMachine, std::move(message))
          .WithRemedy("make room on the disk of the state directory");
    case SQLITE_READONLY:
      return Error(ErrorCode::kIo, Fault::kMachine, std::move(message))
          .WithRemedy("make the state directory writable for the server again");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return Error(ErrorCode::kIo, Fault::kMachine, std::move(message))
          .WithRemedy("look at the disk of the state directory: dmesg, df");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Damaged(std::move(message));
    case SQLITE_NOMEM:
      return {ErrorCode::kResourceExhausted, Fault::kMachine, std::move(message)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Error(ErrorCode::kUnavailable, Fault::kMachine, std::move(message))
          .WithRemedy("another program holds the database: end it");
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY)
        return {ErrorCode::kAlreadyExists, Fault::kCaller, std::move(message)};
      break;
    default:
      break;
  }
  return {ErrorCode::kInternal, Fault::kMachine, std::move(message)};
}

int Length(std::string_view bytes) {
  // SQLite's own limit is below this; what is longer fails at Step as SQLITE_TOOBIG.
  constexpr size_t kMax = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(bytes.size(), kMax));
}

}  // namespace

// Statements that nobody uses now, by their text.
class IdleStatements {
 public:
  explicit IdleStatements(sqlite3* db) : db_(db) {}
  IdleStatements(const IdleStatements&) = delete;
  IdleStatements& operator=(const IdleStatements&) = delete;
  ~IdleStatements() {
    for (auto& [text, statements] : idle_)
      for (sqlite3_stmt* statement : statements) sqlite3_finalize(statement);
  }

  sqlite3* db() const { return db_; }

  sqlite3_stmt* Take(const std::string& sql) {
    const auto found = idle_.find(sql);
    if (found == idle_.end() || found->second.empty()) return nullptr;
    sqlite3_stmt* statement = found->second.back();
    found->second.pop_back();
    --count_;
    return statement;
  }

  void Give(sqlite3_stmt* statement) {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (count_ >= kMaxIdleStatements) {
      sqlite3_finalize(statement);
      return;
    }
    idle_[sqlite3_sql(statement)].push_back(statement);
    ++count_;
  }

 private:
  sqlite3* db_;
  std::unordered_map<std::string, std::vector<sqlite3_stmt*>> idle_;
  size_t count_ = 0;
};

Statement::Statement(Statement&& other) noexcept
    : idle_(other.idle_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    GiveBack();
    idle_ = other.idle_;
    statement_ = std::exchange(other.statement_, nullptr);
  }
  return *this;
}

Statement::~Statement() { GiveBack(); }

void Statement::GiveBack() noexcept {
  if (statement_ != nullptr) idle_->Give(std::exchange(statement_, nullptr));
}

// A bind fails only of an index that is not in the text, a defect that the statement's step shows
// as NULL where a value was meant, and of memory.
void Statement::Bind(int index, int64_t value) { sqlite3_bind_int64(statement_, index, value); }

void Statement::Bind(int index, std::string_view text) {
  sqlite3_bind_text(statement_, index, text.data() == nullptr ? "" : text.data(), Length(text),
                    SQLITE_TRANSIENT);
}

void Statement::BindBlob(int index, std::string_view bytes) {
  sqlite3_bind_blob(statement_, index, bytes.data() == nullptr ? "" : bytes.data(), Length(bytes),
                    SQLITE_TRANSIENT);
}

void Statement::BindNull(int index) { sqlite3_bind_null(statement_, index); }

Result<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Failure(SqliteError(idle_->db(), "a statement"));
}

void Statement::Reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Database::Database(sqlite3* db) : db_(db), idle_(std::make_unique<IdleStatements>(db)) {}

Database::Database(Database&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), idle_(std::move(other.idle_)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    Close();
    db_ = std::exchange(other.db_, nullptr);
    idle_ = std::move(other.idle_);
  }
  return *this;
}

Database::~Database() { Close(); }

void Database::Close() noexcept {
  idle_.reset();
  if (db_ != nullptr) sqlite3_close(std::exchange(db_, nullptr));
}

Result<Database> Database::Open(const std::string& path, Durability durability, Sharing sharing) {
  sqlite3* raw = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                         SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  // sqlite.org/vfs.html: "unix-excl" keeps the index of the log in memory.
  const char* vfs = sharing == Sharing::kThisProcess ? "unix-excl" : nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, kFlags, vfs);
  if (code != SQLITE_OK) {
    Error error = SqliteError(raw, "opening " + path);
    sqlite3_close(raw);
    return Failure(std::move(error));
  }
  Database db(raw);
  sqlite3_busy_timeout(raw, kBusyPatienceMs);
  // A hostile value in a row must not become SQL or a function call by way of the schema.
  sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  TRY(db.Execute("PRAGMA journal_mode=WAL"));
  TRY(db.Execute("PRAGMA foreign_keys=ON"));
  TRY(db.SetDurability(durability));
  return db;
}

void Database::KeepLogOnClose(bool keep) {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

Result<void> Database::SetDurability(Durability durability) {
  return Execute(durability == Durability::kPower ? "PRAGMA synchronous=FULL"
                                                  : "PRAGMA synchronous=NORMAL");
}

Result<Statement> Database::Prepare(std::string_view sql) {
  if (sqlite3_stmt* idle = idle_->Take(std::string(sql))) return Statement(idle_.get(), idle);
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), Length(sql), SQLITE_PREPARE_PERSISTENT,
                                      &statement, nullptr);
  if (code != SQLITE_OK) return Failure(SqliteError(db_, sql.substr(0, 120)));
  return Statement(idle_.get(), statement);
}

Result<void> Database::Execute(std::string_view sql) {
  if (sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return Failure(SqliteError(db_, sql.substr(0, 120)));
  return {};
}

Result<void> Database::Transact(const std::function<Result<void>()>& work) {
  TRY(TRY(Prepare("BEGIN IMMEDIATE")).Run());
  Result<void> done = work();
  if (done) done = TRY(Prepare("COMMIT")).Run();
  // SQLite has rolled back by itself after some errors (SQLITE_FULL, SQLITE_IOERR).
  if (!done && sqlite3_get_autocommit(db_) == 0) (void)Execute("ROLLBACK");
  return done;
}

Result<void> Database::TransactInside(const std::function<Result<void>()>& work) {
  TRY(TRY(Prepare("SAVEPOINT inside")).Run());
  Result<void> done = work();
  if (done) return TRY(Prepare("RELEASE inside")).Run();
  if (sqlite3_get_autocommit(db_) == 0) (void)Execute("ROLLBACK TO inside; RELEASE inside");
  return done;
}

bool IsDamage(const Error& error) { return error.sys_errno() == kDamageErrno; }

Result<void> Database::CheckIntegrity() {
  Statement check = TRY(Prepare("PRAGMA quick_check(1)"));
  if (TRY(check.Step())) {
    if (const std::string said = check.Text(0); said != "ok")
      return Failure(Damaged("the database is damaged: " + said));
  }
  return {};
}

int64_t Database::ChangedRows() const { return sqlite3_changes64(db_); }

}  // namespace cay::store
