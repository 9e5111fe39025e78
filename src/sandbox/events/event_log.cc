#include "sandbox/events/event_log.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>

#include "base/clock.h"

namespace cay::sandbox {
namespace {

using store::Database;
using store::Statement;

// More than the store holds back unwritten: an id that was seen and then lost is not given again.
constexpr uint64_t kSkippedAtStart = 10'000;

// How often the table is cut back to what is kept.
constexpr uint64_t kTrimEvery = 512;

}  // namespace

class EventLog::Impl {
 public:
  Impl(store::Store& store, std::deque<Event> kept)
      : store_(store),
        events_(std::move(kept)),
        last_(events_.empty() ? 0 : events_.back().id),
        visible_(last_) {
    if (last_ != 0) last_ += kSkippedAtStart;
  }

  Event Reserve(Event event) {
    const std::lock_guard lock(mutex_);
    event.id = ++last_;
    event.unix_ms = UnixMs();
    pending_.insert(event.id);
    return event;
  }

  void Publish(const Event& event) {
    bool trim = false;
    uint64_t oldest = 0;
    {
      const std::lock_guard lock(mutex_);
      // Almost always at the end; earlier when a later one's transaction was quicker.
      auto at = events_.end();
      while (at != events_.begin() && std::prev(at)->id > event.id) --at;
      events_.insert(at, event);
      if (events_.size() > kKept) {
        missed_ = events_.front().id;
        events_.pop_front();
      }
      Settle(event.id);
      trim = ++published_ % kTrimEvery == 0 && missed_ != 0;
      oldest = missed_ + 1;
    }
    arrived_.notify_all();
    if (trim) {
      store_.WriteLater([oldest](Database& db) -> Result<void> {
        return TRY(db.Prepare("DELETE FROM event WHERE id < ?1")).Run(static_cast<int64_t>(oldest));
      });
    }
  }

  void Withdraw(const Event& event) {
    {
      const std::lock_guard lock(mutex_);
      Settle(event.id);
    }
    arrived_.notify_all();
  }

  Batch After(uint64_t after, const EventFilter& filter, size_t limit, Millis patience) {
    const auto end = std::chrono::steady_clock::now() + patience;
    Batch batch;
    std::unique_lock lock(mutex_);
    // An id from the future is another database's: what comes from now on is all there can be.
    batch.last = std::min(after, visible_);
    if (batch.last < missed_) batch.missed_up_to = missed_;
    while (true) {
      Collect(batch, filter, limit);
      if (!batch.events.empty() || batch.missed_up_to != 0 || closed_) return batch;
      if (arrived_.wait_until(lock, end) == std::cv_status::timeout) {
        Collect(batch, filter, limit);
        return batch;
      }
    }
  }

  uint64_t last_id() const {
    const std::lock_guard lock(mutex_);
    return visible_;
  }

  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    arrived_.notify_all();
  }

  store::Store& store() { return store_; }

 private:
  // Under the lock: no longer pending; what stood behind it can be seen.
  void Settle(uint64_t id) {
    pending_.erase(id);
    visible_ = pending_.empty() ? last_ : *pending_.begin() - 1;
  }

  void Collect(Batch& batch, const EventFilter& filter, size_t limit) {
    auto next = std::ranges::upper_bound(events_, batch.last, {}, &Event::id);
    for (; next != events_.end() && next->id <= visible_ && batch.events.size() < limit; ++next) {
      batch.last = next->id;
      const bool fits = (filter.owner.empty() || next->owner == filter.owner) &&
                        (filter.sandbox.empty() || next->sandbox == filter.sandbox);
      if (fits) batch.events.push_back(*next);
    }
    if (batch.events.size() < limit) batch.last = std::max(batch.last, visible_);
  }

  store::Store& store_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Event> events_;    // by id
  std::set<uint64_t> pending_;  // reserved
  uint64_t last_;               // that was given
  uint64_t visible_;            // all up to this one are settled
  uint64_t missed_ = 0;         // the last that is no longer kept
  uint64_t published_ = 0;
  bool closed_ = false;
};

EventLog::EventLog(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventLog::~EventLog() = default;

Result<std::unique_ptr<EventLog>> EventLog::Open(store::Store& store) {
  std::deque<Event> kept;
  TRY(store.Read([&](Database& db) -> Result<void> {
    Statement select =
        TRY(db.Prepare("SELECT id, unix_ms, type, sandbox, owner, reason, data FROM event ORDER BY "
                       "id DESC LIMIT ?1"));
    select.Bind(1, int64_t{kKept});
    while (TRY(select.Step())) {
      kept.push_front({.id = static_cast<uint64_t>(select.Int(0)),
                       .unix_ms = select.Int(1),
                       .type = select.Text(2),
                       .sandbox = select.Text(3),
                       .owner = select.Text(4),
                       .reason = select.Text(5),
                       .data = select.Text(6)});
    }
    return {};
  }));
  return std::unique_ptr<EventLog>(new EventLog(std::make_unique<Impl>(store, std::move(kept))));
}

Result<void> EventLog::Insert(Database& db, const Event& event) {
  Statement insert = TRY(db.Prepare("INSERT INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  return insert.Run(static_cast<int64_t>(event.id), event.unix_ms, std::string_view(event.type),
                    std::string_view(event.sandbox), std::string_view(event.owner),
                    std::string_view(event.reason), std::string_view(event.data));
}

Event EventLog::Append(Event event) {
  Event given = impl_->Reserve(std::move(event));
  impl_->store().WriteLater([given](Database& db) { return Insert(db, given); });
  impl_->Publish(given);
  return given;
}

Event EventLog::Reserve(Event event) { return impl_->Reserve(std::move(event)); }
void EventLog::Publish(const Event& event) { impl_->Publish(event); }
void EventLog::Withdraw(const Event& event) { impl_->Withdraw(event); }

EventLog::Batch EventLog::After(uint64_t after, const EventFilter& filter, size_t limit,
                                Millis patience) {
  return impl_->After(after, filter, limit, patience);
}

uint64_t EventLog::last_id() const { return impl_->last_id(); }
void EventLog::Close() { impl_->Close(); }

}  // namespace cay::sandbox
