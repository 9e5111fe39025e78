// ProcessBook: what the keeper knows of processes: those that run, the last that ended, and behind
// them the rows of the store. Says of each process once that it began and once that it ended: to
// the store, the event log, the manager's count and the metrics.
//
//   ProcessBook::Place place = TRY(book.Reserve(lease));        // within the sandbox's maximum
//   auto entry = book.Begin(std::move(place), row);
//   ProcessRecord record = book.Finish(*entry, ending);         // the first to call it decides
//
// A sandbox that is stopped and started gets a new guest, which counts its processes from 1 again.
// Each such life has an offset that makes the numbers which clients see go on ascending.
//
// Thread-safe. Calls of the manager are made without any lock of the book's.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/id.h"
#include "base/replaceable.h"
#include "base/result.h"
#include "sandbox/commands/command_patterns.h"
#include "sandbox/commands/command_rules.h"
#include "sandbox/events/event_log.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/metrics.h"
#include "sandbox/processes/process_table.h"
#include "sandbox/processes/process_types.h"
#include "store/store.h"

namespace cay::sandbox {

using SteadyClock = std::chrono::steady_clock;

// One guest's life in a sandbox.
struct GuestLife {
  GuestLife(const SandboxView& view, uint64_t first_offset)
      : sandbox(view.id),
        owner(view.owner),
        started_unix_ms(view.started_unix_ms),
        disk_limit(view.limits.disk),
        offset(first_offset) {}

  const SandboxId sandbox;
  const std::string owner;
  const int64_t started_unix_ms;
  const Bytes disk_limit;
  const uint64_t offset;                // a process's number is its guest's and this
  std::atomic<bool> forgotten = false;  // the sandbox was destroyed: nothing of it is written

  // Whether the kernel killed something for want of memory since its count was `before`: told of
  // each command that was `killed` meanwhile, and of those that fail otherwise, as one whose child
  // was killed does, only of the first.
  bool ClaimOomKills(uint64_t before, std::optional<uint64_t> now, bool killed);
  // Those until `now` may have been told of others, by a server before this one.
  void SkipOomKills(std::optional<uint64_t> now);

  // Why it ended; waits at most `patience` for it to be known.
  GuestEnd WaitForEnd(Millis patience);
  std::optional<GuestEnd> end() const;
  void SetGone(const GuestEnd& end);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<GuestEnd> gone_;
  uint64_t oom_kills_told_ = 0;
};

// A count that could not be had before a command: no later one says that it rose.
inline constexpr uint64_t kOomKillsUnknown = std::numeric_limits<uint64_t>::max();

struct ProcessEntry {
  ProcessEntry(std::shared_ptr<GuestLife> its_life, ProcessRow first_row)
      : life(std::move(its_life)),
        id(first_row.record.id),
        guest_process(first_row.guest_process),
        kill_leftovers(first_row.kill_leftovers),
        kill_grace(first_row.kill_grace_ms),
        oom_kills_before(first_row.oom_kills_before),
        row(std::move(first_row)) {}

  const std::shared_ptr<GuestLife> life;
  const uint64_t id;
  const uint64_t guest_process;
  const bool kill_leftovers;
  const Millis kill_grace;
  const uint64_t oom_kills_before;

  ProcessRecord record() const;
  bool running() const;
  bool timed_out() const;
  void SetTimedOut();
  // Its time was over, and it ended for its waiting clients although its guest never said so.
  bool given_up() const;
  // Until its time is over; nothing when it may run for ever, or has ended.
  std::optional<Millis> time_left() const;

  mutable std::mutex mutex;
  ProcessRow row;           // under mutex
  bool row_queued = false;  // under mutex: a work of the store will write it as it is then
};

// How a process ended. Without `exited` it was lost.
struct ProcessEnding {
  static ProcessEnding Lost(GuestEnd guest) {
    ProcessEnding ending;
    ending.guest = std::move(guest);
    return ending;
  }

  std::optional<protocol::Exited> exited;
  bool oom_killed = false;
  bool disk_full = false;
  std::optional<uint64_t> leftovers_remaining;  // after they were killed
  GuestEnd guest{};                             // how its guest ended
};

// CommandRules, compiled.
struct CompiledRules {
  CommandPatterns refuse;
  CommandPatterns flag;
  ExecutionLog log = ExecutionLog::kOff;
};

class ProcessBook {
 public:
  ProcessBook(KeeperOptions options, Manager& manager, store::Store& store, EventLog& events)
      : options_(options), manager_(manager), store_(store), events_(events) {}

  const KeeperOptions& options() const { return options_; }
  Manager& manager() { return manager_; }
  std::shared_ptr<const CompiledRules> rules() const { return rules_.Get(); }
  void SetRules(CompiledRules rules) { rules_.Set(std::move(rules)); }

  // A process that is about to be started. Given back when it is not.
  class Place {
   public:
    Place(Place&& other) noexcept
        : life(std::move(other.life)),
          oom_kills(other.oom_kills),
          book_(std::exchange(other.book_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place();
    std::shared_ptr<GuestLife> life;
    uint64_t oom_kills;  // before the command begins

   private:
    friend class ProcessBook;
    Place(ProcessBook& book, std::shared_ptr<GuestLife> its_life, uint64_t its_oom_kills)
        : life(std::move(its_life)), oom_kills(its_oom_kills), book_(&book) {}
    ProcessBook* book_;
  };
  Result<Place> Reserve(const Lease& lease);
  // In `row` all names and times are filled in, except record.id, sandbox and life, which are set
  // here.
  std::shared_ptr<ProcessEntry> Begin(Place place, ProcessRow row);
  void NoteStartFailed(const GuestLife& life, const std::vector<std::string>& command,
                       const Error& error);
  // The record as it is from now on. Only the first ending of a process counts.
  ProcessRecord Finish(const std::shared_ptr<ProcessEntry>& entry, const ProcessEnding& ending);
  // The guest's life is over. With kDestroyed the sandbox is forgotten.
  void NoteGone(const SandboxId& sandbox, const GuestEnd& end);

  // The life of a sandbox that runs or is paused. kIllegalState for a view of an earlier one.
  Result<std::shared_ptr<GuestLife>> LifeOf(const SandboxView& view);

  // One that its guest may still know: kNotFound for those of an earlier life.
  Result<std::shared_ptr<ProcessEntry>> FindOfLife(const std::shared_ptr<GuestLife>& life,
                                                   uint64_t id);
  Result<ProcessRecord> Get(const SandboxId& sandbox, uint64_t id);
  // Newest first; what the store cannot tell is left out.
  Result<std::vector<ProcessRecord>> List(const SandboxId& sandbox, size_t limit);

  // What the store has, before anything else is called. Rows that were running are returned.
  Result<std::vector<ProcessRow>> Load();
  // The last process of this life that has a row, as its guest names it; 0: none.
  uint64_t LastOf(const GuestLife& life);
  // A process of before the restart, of this life.
  std::shared_ptr<ProcessEntry> Readopt(const std::shared_ptr<GuestLife>& life, ProcessRow row);
  // A row that was running and of which nothing is left.
  void WriteLost(ProcessRow row, GuestEnd end);

  ProcessMetrics GetMetrics();
  void NoteStartTime(uint64_t us) { AddTo(&ProcessMetrics::start, us); }
  void NoteExecuteTime(uint64_t us) { AddTo(&ProcessMetrics::execute, us); }

 private:
  struct OfSandbox {
    std::shared_ptr<GuestLife> life;
    LastProcess last;
    size_t starting = 0;
    std::map<uint64_t, std::shared_ptr<ProcessEntry>> running;
    std::deque<std::shared_ptr<ProcessEntry>> ended;  // newest last
    size_t ended_since_forget = 0;
  };

  // In memory: running, or ended lately.
  std::shared_ptr<ProcessEntry> Find(const SandboxId& sandbox, uint64_t id);
  Result<ProcessRow> FindRow(const SandboxId& sandbox, uint64_t id);
  std::shared_ptr<ProcessEntry> Insert(std::shared_ptr<GuestLife> life, ProcessRow row);
  void MoveToEnded(const std::shared_ptr<ProcessEntry>& entry);
  void Write(const std::shared_ptr<ProcessEntry>& entry);
  void Say(const GuestLife& life, const char* type, const std::string& reason, std::string data);
  void AddTo(Histogram ProcessMetrics::* histogram, uint64_t us);

  const KeeperOptions options_;
  Manager& manager_;
  store::Store& store_;
  EventLog& events_;
  Replaceable<CompiledRules> rules_{CompiledRules{}};
  std::mutex mutex_;
  std::map<SandboxId, OfSandbox> sandboxes_;
  std::mutex metrics_mutex_;
  ProcessMetrics metrics_;
};

}  // namespace cay::sandbox
