#include "sandbox/state/timer.h"

#include <algorithm>

#include "base/clock.h"

namespace cay::sandbox {

Timer::Timer(Millis longest_wait, std::function<void(const SandboxId&)> fire,
             std::function<void()> look)
    : longest_wait_(longest_wait),
      fire_(std::move(fire)),
      look_(std::move(look)),
      thread_([this] { Run(); }) {}

void Timer::Earlier(const SandboxId& id, int64_t unix_ms) {
  const std::lock_guard lock(mutex_);
  const auto [entry, is_new] = times_.try_emplace(id, unix_ms);
  if (!is_new) {
    if (entry->second <= unix_ms) return;
    queue_.erase({entry->second, id});
    entry->second = unix_ms;
  }
  queue_.emplace(unix_ms, id);
  if (queue_.begin()->second == id) changed_.notify_all();
}

void Timer::Forget(const SandboxId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = times_.find(id);
  if (found == times_.end()) return;
  queue_.erase({found->second, id});
  times_.erase(found);
}

void Timer::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Timer::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const int64_t now = UnixMs();
    if (!queue_.empty() && queue_.begin()->first <= now) {
      const SandboxId id = queue_.begin()->second;
      queue_.erase(queue_.begin());
      times_.erase(id);
      lock.unlock();
      fire_(id);
      lock.lock();
      continue;
    }
    Millis wait = longest_wait_;
    if (!queue_.empty()) wait = std::min(wait, Millis(queue_.begin()->first - now));
    changed_.wait_for(lock, wait);
    if (stopping_) break;
    lock.unlock();
    look_();
    lock.lock();
  }
}

}  // namespace cay::sandbox
