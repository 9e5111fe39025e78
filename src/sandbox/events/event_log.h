// EventLog: what happened, for clients that watch: bounded, with ascending ids that survive a
// restart, and a wait for more.
//
//   events.Append({.type = "execution.completed", .sandbox = id, .owner = owner});
//   Event event = events.Reserve({.type = "sandbox.created", …});       // part of a transaction:
//   const auto done = store.Write([&](Database& db) -> Result<void> {
//     TRY(EventLog::Insert(db, event)); … });
//   done ? events.Publish(event) : events.Withdraw(event);
//
// Ids are ascending in the order in which readers see them, but not without gaps: each start skips
// some, so that an id that a reader saw, and that never came into the database, is not given twice.
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "sandbox/types.h"
#include "store/store.h"

namespace cay::sandbox {

struct EventFilter {
  std::string owner;    // empty: everybody's
  std::string sandbox;  // empty: all
};

class EventLog {
 public:
  static constexpr size_t kKept = 10'000;

  static Result<std::unique_ptr<EventLog>> Open(store::Store& store);
  ~EventLog();

  // Gives it its id and time. In the store soon after.
  Event Append(Event event);

  // The same in steps, for an event whose row is part of a transaction. Readers see nothing that
  // comes after it before it is published or withdrawn: do either soon.
  Event Reserve(Event event);
  static Result<void> Insert(store::Database& db, const Event& event);
  void Publish(const Event& event);
  void Withdraw(const Event& event);

  struct Batch {
    std::vector<Event> events;  // after `after`, oldest first, at most `limit`
    uint64_t missed_up_to = 0;  // not 0: events up to this one are no longer kept
    uint64_t last = 0;          // what to ask after next
  };
  // Waits at most `patience` for one that matches.
  Batch After(uint64_t after, const EventFilter& filter, size_t limit, Millis patience);
  uint64_t last_id() const;
  // Wakes all waiting readers: the server ends.
  void Close();

 private:
  class Impl;
  explicit EventLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::sandbox
