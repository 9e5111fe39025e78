// Deadlines: many points in time on one EventLoop, whose own timers are few.
//
//   Deadline late(deadlines, [this] { End(); });
//   late.Set(std::chrono::seconds(10));            // once; a later call replaces the earlier one
//
// Due ones run from the loop. One that runs may set, clear and destroy any deadline, itself too.
#pragma once

#include <functional>
#include <set>
#include <utility>

#include "base/loop/event_loop.h"
#include "base/units.h"

namespace cay::network {

class Deadline;

class Deadlines : private EventLoop::Timer {
 public:
  using Clock = EventLoop::Clock;

  explicit Deadlines(EventLoop& loop) : loop_(loop) {}
  ~Deadlines() override { loop_.CancelTimer(*this); }
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

 private:
  friend class Deadline;
  void Add(Deadline& deadline, Clock::time_point when);
  void Remove(Deadline& deadline, Clock::time_point when);
  void Arm();
  void OnTime() override;

  EventLoop& loop_;
  std::set<std::pair<Clock::time_point, Deadline*>> pending_;
};

class Deadline {
 public:
  Deadline(Deadlines& deadlines, std::function<void()> due)
      : deadlines_(deadlines), due_(std::move(due)) {}
  ~Deadline() { Clear(); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  void Set(Millis from_now);
  void Clear();
  bool set() const { return when_.has_value(); }

 private:
  friend class Deadlines;
  Deadlines& deadlines_;
  std::function<void()> due_;
  std::optional<Deadlines::Clock::time_point> when_;
};

}  // namespace cay::network
