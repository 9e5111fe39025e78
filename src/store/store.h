// Store: what must survive the server: one SQLite database (STATE_DIR/cay.db), one lock for a
// server to hold, migrations, and a queue for what may be written a moment later.
//
//   auto store = TRY(Store::Open(paths));     // kAlreadyExists when another server has it
//   TRY(store->Write([&](Database& db) -> Result<void> { … }));        // committed when it returns
//   store->WriteLater([…](Database& db) -> Result<void> { … });        // soon, many in one transaction
//
// Writes happen in the order in which they were asked for, whether by Write or by WriteLater. The
// tables' SQL stands beside the code that means it (sandbox/records/sandbox_table.cc …); their
// definitions in migrations.cc. Thread-safe; not to be called from inside a Work.
//
// When the disk is full, or the database cannot be written for another reason, Write fails with
// that error and nothing of it has happened; what WriteLater took is kept and tried again until it
// can be written.
#pragma once

#include <functional>
#include <memory>

#include "base/os/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "store/database.h"

namespace cay::store {

// May run more than once, when a commit failed: it must not change what it captured for good.
using Work = std::function<Result<void>(Database&)>;

class Store {
 public:
  // Migrates. A database that is damaged, or newer than this program, is refused with what to do. A
  // full disk is no reason not to open: then it can be read, and Healthy() says what it is.
  static Result<std::unique_ptr<Store>> Open(const Paths& paths);
  // Writes what waits.
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // In a transaction of its own.
  Result<void> Write(const Work& work);
  // The same for a write that makes room, or records what has happened already: where the disk has
  // no room, the reserve is given up for it (reserve.h).
  Result<void> WriteUrgently(const Work& work);
  // The same as Write, and it survives a loss of power: keys, project files.
  Result<void> WriteDurably(const Work& work);
  // Sees what Write has committed, and what WriteLater has written by now.
  Result<void> Read(const Work& work);

  // Gives the reserve up, so that other parts can write on the same disk; false when there is none.
  // It is taken again when there is room.
  bool GiveUpReserve();

  // A bounded queue: waits when it is full. Failures are logged and counted, and make Healthy()
  // false. Only when it is full and the database cannot be written is the newest dropped, and
  // counted.
  void WriteLater(Work work);
  // Writes what was queued before.
  Result<void> Flush();

  // Changes with each write of another process that has left its mark (foreign_writes.h). Costs one
  // stat(2).
  int64_t ForeignMark() const;

  // Whether the last write succeeded; if not, why.
  Result<void> Healthy() const;

  struct Metrics {
    uint64_t writes = 0;    // transactions of Write and WriteDurably
    uint64_t later = 0;     // works of WriteLater that are written
    uint64_t failures = 0;  // of either, that were the machine's fault
    uint64_t dropped = 0;   // works of WriteLater that are lost
    size_t waiting = 0;     // works of WriteLater
  };
  Metrics GetMetrics() const;

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::store
