#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "store/foreign_writes.h"
#include "store/migrations.h"
#include "store/reserve.h"
#include "store/store_lock.h"

namespace cay::store {
namespace {

constexpr size_t kMaxWaiting = 8192;
// How long a work of WriteLater waits for others to share its transaction.
constexpr Millis kGather(5);
// So often the thread looks for more work by itself before it sleeps.
constexpr int kLooks = 20;
constexpr Millis kRetry(1000);
// The background copies the log into the database from here on; far beyond, a commit does it
// itself.
constexpr off_t kCheckpointBytes = 4 << 20;
constexpr const char* kForcedCheckpoint = "PRAGMA wal_autocheckpoint=16384";  // pages: 64 MiB
// A log that was copied is cut by the next commit. Otherwise its file would be that large for ever,
// and be copied (and synced) after every commit.
constexpr const char* kCutLog = "PRAGMA journal_size_limit=0";

// Whether it says something of the disk or the database, rather than of what was to be written.
bool IsMachines(const Error& error) {
  return error.fault() == Fault::kMachine && error.code() != ErrorCode::kInternal;
}

// Whether room on the disk may be all that is missing. SQLite does not say so of each of its files.
bool MayNeedRoom(const Error& error) {
  return error.code() == ErrorCode::kResourceExhausted ||
         (error.code() == ErrorCode::kIo && !IsDamage(error));
}

Result<Database> OpenChecked(const std::string& path, Sharing sharing) {
  Database db = TRY(Database::Open(path, Durability::kProcess, sharing));
  db.KeepLogOnClose(true);
  TRY(db.CheckIntegrity());
  TRY(Migrate(db, AllMigrations()));
  db.KeepLogOnClose(false);
  TRY(db.Execute(kForcedCheckpoint));
  TRY(db.Execute(kCutLog));
  return db;
}

struct Connections {
  Database writer;
  Database reader;
  Database background;
};

Result<Connections> Connect(const std::string& path, Sharing sharing) {
  auto writer = OpenChecked(path, sharing);
  if (!writer) return Failure(std::move(writer).error().WithContext(path));
  Database reader = TRY(Database::Open(path, Durability::kProcess, sharing));
  TRY(reader.Execute("PRAGMA query_only=ON"));
  Database background = TRY(Database::Open(path, Durability::kProcess, sharing));
  return Connections{*std::move(writer), std::move(reader), std::move(background)};
}

// Where there is no room the reserve is given up for it; and where others have taken that at once,
// without what needs it.
Result<Connections> ConnectEvenWithoutRoom(const std::string& path, Reserve& reserve) {
  auto connections = Connect(path, Sharing::kEverybody);
  if (connections || !MayNeedRoom(connections.error())) return connections;
  if (reserve.GiveUp()) {
    auto again = Connect(path, Sharing::kEverybody);
    if (again) return again;
  }
  auto alone = Connect(path, Sharing::kThisProcess);
  if (!alone) return connections;
  LogWarning(
      "the disk of the state directory is full: until the next start no other program can open the "
      "database");
  return alone;
}

}  // namespace

class Store::Impl {
 public:
  Impl(StoreLock lock, std::string state_dir, Reserve reserve, Connections connections)
      : lock_(std::move(lock)),
        state_dir_(std::move(state_dir)),
        writer_(std::move(connections.writer)),
        reserve_(std::move(reserve)),
        reader_(std::move(connections.reader)),
        background_(std::move(connections.background)) {
    Note(TryToWrite());
    thread_ = std::thread([this] { Run(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(queue_mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
    if (const auto flushed = Flush(); !flushed)
      LogError("at the end, " + std::to_string(Waiting()) +
               " things could not be written: " + flushed.error().ToString());
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> Write(const Work& work, Durability durability) {
    const std::lock_guard lock(writer_mutex_);
    return WriteLocked(work, durability);
  }

  Result<void> WriteUrgently(const Work& work) {
    const std::lock_guard lock(writer_mutex_);
    auto done = WriteLocked(work, Durability::kProcess);
    if (done || !MayNeedRoom(done.error()) || !reserve_.GiveUp()) return done;
    return WriteLocked(work, Durability::kProcess);
  }

  int64_t ForeignMark() const { return ReadForeignMark(state_dir_); }

  bool GiveUpReserve() {
    const std::lock_guard lock(writer_mutex_);
    return reserve_.GiveUp();
  }

  Result<void> Read(const Work& work) {
    const std::lock_guard lock(reader_mutex_);
    return work(reader_);
  }

  void WriteLater(Work work) {
    std::unique_lock lock(queue_mutex_);
    room_.wait(lock, [&] { return queue_.size() + batched_ < kMaxWaiting || !healthy_; });
    if (queue_.size() + batched_ >= kMaxWaiting) {
      if (dropped_++ == 0)
        LogError("the database cannot be written, and its queue is full: events are being lost");
      return;
    }
    queue_.push_back(std::move(work));
    if (asleep_) wake_.notify_one();
  }

  Result<void> Flush() {
    const std::lock_guard lock(writer_mutex_);
    return WriteBatch();
  }

  Result<void> Healthy() const {
    const std::lock_guard lock(queue_mutex_);
    if (error_) return Failure(*error_);
    return {};
  }

  size_t Waiting() const {
    const std::lock_guard lock(queue_mutex_);
    return queue_.size() + batched_;
  }

  Metrics GetMetrics() const {
    return {.writes = writes_,
            .later = later_,
            .failures = failures_,
            .dropped = dropped_,
            .waiting = Waiting()};
  }

 private:
  Result<void> WriteLocked(const Work& work, Durability durability) {
    TRY(WriteBatch());
    if (durability == Durability::kPower) TRY(writer_.SetDurability(durability));
    const auto done = writer_.Transact([&] { return work(writer_); });
    if (durability == Durability::kPower) (void)writer_.SetDurability(Durability::kProcess);
    if (done) ++writes_;
    Note(done);
    return done;
  }

  // Under writer_mutex_: what WriteLater took until now, in one transaction. What the machine keeps
  // from being written stays for the next time, in its order.
  Result<void> WriteBatch() {
    {
      const std::lock_guard lock(queue_mutex_);
      std::ranges::move(queue_, std::back_inserter(batch_));
      queue_.clear();
      batched_ = batch_.size();
    }
    if (batch_.empty()) return {};
    const auto done = writer_.Transact([&]() -> Result<void> {
      for (const Work& work : batch_) {
        const auto one = writer_.TransactInside([&] { return work(writer_); });
        if (one) continue;
        if (IsMachines(one.error())) return one;
        LogError("writing behind: " + one.error().ToString());
        ++dropped_;
      }
      return {};
    });
    Note(done);
    if (!done) return done;
    later_ += batch_.size();
    batch_.clear();
    {
      const std::lock_guard lock(queue_mutex_);
      batched_ = 0;
    }
    room_.notify_all();
    return {};
  }

  void Note(const Result<void>& done) {
    if (!done && !IsMachines(done.error())) return;
    const std::lock_guard lock(queue_mutex_);
    if (done) {
      if (error_) LogWarning("the database can be written again");
      error_.reset();
      healthy_ = true;
      return;
    }
    ++failures_;
    if (!error_) LogError(done.error().ToString());
    error_ = done.error();
    healthy_ = false;
    room_.notify_all();
  }

  // Whether a database that could not be written can be now.
  void Probe() {
    const std::lock_guard lock(writer_mutex_);
    if (Healthy()) {
      reserve_.Refill();
    } else {
      Note(TryToWrite());
    }
  }

  Result<void> TryToWrite() {
    return writer_.Transact([&]() -> Result<void> {
      Statement version = TRY(writer_.Prepare("PRAGMA user_version"));
      TRY(version.Step());
      const int64_t seen = version.Int(0);
      return writer_.Execute("PRAGMA user_version=" + std::to_string(seen));
    });
  }

  // Until there is something to do, or it is time to look. While works come one after the other
  // nobody has to wake the thread: it looks by itself.
  void AwaitWork(std::unique_lock<std::mutex>& lock) {
    const auto stopping = [&] { return stopping_; };
    if (!healthy_) {
      wake_.wait_for(lock, kRetry, stopping);
      return;
    }
    for (; looks_ > 0 && !stopping_ && queue_.empty(); --looks_)
      wake_.wait_for(lock, kGather, stopping);
    if (!stopping_ && queue_.empty()) {
      asleep_ = true;
      wake_.wait_for(lock, kRetry, [&] { return stopping_ || !queue_.empty(); });
      asleep_ = false;
      if (!stopping_ && !queue_.empty()) wake_.wait_for(lock, kGather, stopping);
    }
    if (!queue_.empty()) looks_ = kLooks;
  }

  void Run() {
    std::unique_lock lock(queue_mutex_);
    while (!stopping_) {
      AwaitWork(lock);
      if (stopping_) break;
      lock.unlock();
      (void)Flush();  // noted, and tried again
      Probe();
      Checkpoint();
      lock.lock();
    }
  }

  void Checkpoint() {
    struct stat wal{};
    if (::stat((state_dir_ + "/cay.db-wal").c_str(), &wal) < 0 || wal.st_size < kCheckpointBytes)
      return;
    if (wal.st_size == checked_bytes_ && writes_ + later_ == checked_writes_) return;
    checked_bytes_ = wal.st_size;
    checked_writes_ = writes_ + later_;
    if (const auto done = background_.Execute("PRAGMA wal_checkpoint(PASSIVE)"); !done)
      LogWarning("copying the log into the database: " + done.error().ToString());
  }

  StoreLock lock_;
  std::string state_dir_;

  std::mutex writer_mutex_;  // before queue_mutex_
  Database writer_;
  std::vector<Work> batch_;
  Reserve reserve_;

  std::mutex reader_mutex_;
  Database reader_;

  Database background_;  // the thread's
  off_t checked_bytes_ = 0;
  uint64_t checked_writes_ = 0;

  mutable std::mutex queue_mutex_;
  std::condition_variable wake_;
  std::condition_variable room_;
  std::deque<Work> queue_;
  size_t batched_ = 0;   // of batch_
  bool asleep_ = false;  // the thread, until it is woken
  int looks_ = 0;        // that it takes before it sleeps
  bool stopping_ = false;
  bool healthy_ = true;
  std::optional<Error> error_;

  std::atomic<uint64_t> writes_ = 0;
  std::atomic<uint64_t> later_ = 0;
  std::atomic<uint64_t> failures_ = 0;
  std::atomic<uint64_t> dropped_ = 0;

  std::thread thread_;  // uses all of them
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(const Paths& paths) {
  StoreLock lock = TRY(StoreLock::Take(paths.state_dir));
  const std::string path = paths.state_dir + "/cay.db";
  // Made here, and not by SQLite with the process's umask: it holds what only the server may know.
  // SQLite gives its other files the same mode.
  TRY(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  Reserve reserve(paths.state_dir);
  Connections connections = TRY(ConnectEvenWithoutRoom(path, reserve));
  // Made here, so that a disk that is full later is no obstacle. Without it the others are seen a
  // moment later.
  if (const auto made = LeaveForeignMark(paths.state_dir); !made)
    LogWarning(made.error().ToString());
  return std::unique_ptr<Store>(new Store(std::make_unique<Impl>(
      std::move(lock), paths.state_dir, std::move(reserve), std::move(connections))));
}

Result<void> Store::Write(const Work& work) { return impl_->Write(work, Durability::kProcess); }
Result<void> Store::WriteUrgently(const Work& work) { return impl_->WriteUrgently(work); }
bool Store::GiveUpReserve() { return impl_->GiveUpReserve(); }
Result<void> Store::WriteDurably(const Work& work) {
  return impl_->Write(work, Durability::kPower);
}
Result<void> Store::Read(const Work& work) { return impl_->Read(work); }
void Store::WriteLater(Work work) { impl_->WriteLater(std::move(work)); }
Result<void> Store::Flush() { return impl_->Flush(); }
int64_t Store::ForeignMark() const { return impl_->ForeignMark(); }
Result<void> Store::Healthy() const { return impl_->Healthy(); }
Store::Metrics Store::GetMetrics() const { return impl_->GetMetrics(); }

}  // namespace cay::store
