// Store: what must survive the server: one SQLite database (STATE_DIR/cay.db), one lock for a server
// to hold, migrations, and a queue for what may be written a moment later.
//
//   auto store = TRY(Store::Open(paths));     // kAlreadyExists when another server has it
//   TRY(store->Write([&](Database& db) -> Result<void> { … }));        // committed when it returns
//   store->WriteLater([…](Database& db) -> Result<void> { … });        // soon, many in one transaction
//
// Writes happen in the order in which they were asked for, whichever of the two asked. The tables' SQL stands beside the
// code that means it (sandbox/sandbox_table.cc …); their definitions in migrations.cc. Thread-safe.
#pragma once

#include <functional>
#include <memory>

#include "base/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "store/database.h"

namespace cay::store {

using Work = std::function<Result<void>(Database&)>;

class Store {
 public:
  // Migrates. A database that is damaged, or newer than this program, is refused with what to do.
  static Result<std::unique_ptr<Store>> Open(const Paths& paths);
  // Writes what waits.
  ~Store();

  // In a transaction of its own.
  Result<void> Write(const Work& work);
  // The same, and it survives a loss of power: keys, project files.
  Result<void> WriteDurably(const Work& work);
  Result<void> Read(const Work& work);

  // A bounded queue: waits when it is full. Failures are logged and counted, and make Healthy() false.
  void WriteLater(Work work);
  // Waits until what was queued before is committed.
  Result<void> Flush();

  // Whether the last write succeeded; why not.
  Result<void> Healthy() const;

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::store
