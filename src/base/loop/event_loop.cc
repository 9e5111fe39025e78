#include "base/loop/event_loop.h"

#include <algorithm>
#include <array>
#include <climits>
#include <span>
#include <utility>

namespace cay {
namespace {

// The descriptor and the generation of its registration: an event for a descriptor that was closed
// and opened again within one batch is told from one for the new.
uint64_t Tag(int fd, uint32_t generation) {
  return static_cast<uint64_t>(generation) << 32 | static_cast<uint32_t>(fd);
}

constexpr size_t kEventsAtOnce = 64;

}  // namespace

Result<EventLoop> EventLoop::Create() {
  const int raw = ::epoll_create1(EPOLL_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno("epoll_create1"));
  return EventLoop(Fd::Adopt(raw));
}

Result<void> EventLoop::Watch(int fd, uint32_t events, Handler& handler) {
  const uint32_t generation = next_generation_++;
  epoll_event event{.events = events, .data = {.u64 = Tag(fd, generation)}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
    return Failure(Error::FromErrno("epoll_ctl"));
  }
  watched_.insert_or_assign(
      fd, Watched{.handler = &handler, .events = events, .generation = generation});
  return {};
}

void EventLoop::Change(int fd, uint32_t events) {
  const auto found = watched_.find(fd);
  if (found == watched_.end() || found->second.events == events) return;
  found->second.events = events;
  epoll_event event{.events = events, .data = {.u64 = Tag(fd, found->second.generation)}};
  // Of a descriptor that is in the set this cannot fail (epoll_ctl(2)).
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::Forget(int fd) {
  if (watched_.erase(fd) > 0) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::SetTimer(Timer& timer, Clock::time_point when) {
  for (auto& [known, time] : timers_) {
    if (known == &timer) {
      time = when;
      return;
    }
  }
  timers_.emplace_back(&timer, when);
}

void EventLoop::CancelTimer(Timer& timer) {
  std::erase_if(timers_, [&](const auto& entry) { return entry.first == &timer; });
}

int EventLoop::MillisToNextTimer() const {
  if (timers_.empty()) return -1;
  const auto next = std::ranges::min_element(
      timers_, [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next->second - Clock::now());
  return static_cast<int>(std::clamp<int64_t>(wait.count(), 0, INT_MAX));
}

void EventLoop::RunTimers() {
  const Clock::time_point now = Clock::now();
  // One at a time from the start: a timer may set and cancel others. Each due one runs once, for
  // one that is set again is set to later than `now`.
  while (true) {
    const auto due =
        std::ranges::find_if(timers_, [&](const auto& entry) { return entry.second <= now; });
    if (due == timers_.end()) return;
    Timer* timer = due->first;
    timers_.erase(due);
    timer->OnTime();
  }
}

Result<void> EventLoop::Run() {
  std::array<epoll_event, kEventsAtOnce> events;
  while (!stopped_) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   MillisToNextTimer());
    if (count < 0) {
      if (errno == EINTR) continue;
      return Failure(Error::FromErrno("epoll_wait"));
    }
    for (const epoll_event& event : std::span(events).first(static_cast<size_t>(count))) {
      const auto found = watched_.find(static_cast<int>(event.data.u64 & 0xffffffff));
      if (found == watched_.end() || found->second.generation != event.data.u64 >> 32) continue;
      found->second.handler->OnReady(event.events);
    }
    if (!timers_.empty()) RunTimers();
    // What is deleted may dispose of something else.
    while (!disposed_.empty()) std::exchange(disposed_, {}).clear();
  }
  return {};
}

}  // namespace cay
