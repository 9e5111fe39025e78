#include "network/transfer/deadlines.h"

namespace cay::network {

void Deadlines::Add(Deadline& deadline, Clock::time_point when) {
  pending_.emplace(when, &deadline);
  Arm();
}

void Deadlines::Remove(Deadline& deadline, Clock::time_point when) {
  pending_.erase({when, &deadline});
}

// One that was cleared may have been the first: then the loop wakes up for nothing, once.
void Deadlines::Arm() {
  if (!pending_.empty()) loop_.SetTimer(*this, pending_.begin()->first);
}

void Deadlines::OnTime() {
  const Clock::time_point now = Clock::now();
  while (!pending_.empty() && pending_.begin()->first <= now) {
    Deadline& deadline = *pending_.begin()->second;
    deadline.Clear();
    const std::function<void()> due = deadline.due_;  // it may be destroyed while that runs
    due();
  }
  Arm();
}

void Deadline::Set(Millis from_now) {
  Clear();
  when_ = Deadlines::Clock::now() + from_now;
  deadlines_.Add(*this, *when_);
}

void Deadline::Clear() {
  if (!when_) return;
  deadlines_.Remove(*this, *when_);
  when_.reset();
}

}  // namespace cay::network
