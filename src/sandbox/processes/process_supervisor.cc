#include "sandbox/processes/process_supervisor.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <limits>

namespace cay::sandbox {
namespace {

constexpr size_t kEventsInARound = 64;

}  // namespace

Result<std::unique_ptr<ProcessSupervisor>> ProcessSupervisor::Start(ProcessBook& book) {
  const int raw_epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (raw_epoll < 0) return Failure(Error::FromErrno("epoll_create1"));
  Fd epoll = Fd::Adopt(raw_epoll);
  Wakeup wake = TRY(Wakeup::Make());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeToken;
  if (::epoll_ctl(raw_epoll, EPOLL_CTL_ADD, wake.fd(), &event) < 0) {
    return Failure(Error::FromErrno("epoll_ctl"));
  }
  std::unique_ptr<ProcessSupervisor> supervisor(
      new ProcessSupervisor(book, std::move(epoll), std::move(wake)));
  supervisor->thread_ = std::thread([raw = supervisor.get()] { raw->Run(); });
  return supervisor;
}

ProcessSupervisor::~ProcessSupervisor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.Raise();
  thread_.join();
}

// Most deadlines are later than those before them: then nobody has to be woken.
void ProcessSupervisor::SetDeadline(const std::shared_ptr<ProcessEntry>& entry, SteadyTime when) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    deadline_of_[entry.get()] = deadlines_.emplace(when, entry);
    if (when < sleeps_until_) {
      sleeps_until_ = when;
      wake = true;
    }
  }
  if (wake) wake_.Raise();
}

void ProcessSupervisor::CancelDeadline(const ProcessEntry& entry) {
  const std::lock_guard lock(mutex_);
  const auto found = deadline_of_.find(&entry);
  if (found == deadline_of_.end()) return;
  deadlines_.erase(found->second);
  deadline_of_.erase(found);
}

void ProcessSupervisor::Adopt(std::shared_ptr<ProcessEntry> entry) {
  {
    const std::lock_guard lock(mutex_);
    adopted_.push_back(std::move(entry));
  }
  wake_.Raise();
}

void ProcessSupervisor::LookAt(const SandboxId& sandbox) {
  {
    const std::lock_guard lock(mutex_);
    look_at_.push_back(sandbox);
  }
  wake_.Raise();
}

void ProcessSupervisor::Run() {
  std::array<epoll_event, kEventsInARound> events{};
  while (true) {
    const int wait_ms = WaitMillis();
    if (wait_ms == std::numeric_limits<int>::min()) return;
    const int ready =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < ready; ++i) {
      const uint64_t token = events[static_cast<size_t>(i)].data.u64;
      if (token == kWakeToken) wake_.Drain();
      // Otherwise it was dropped: in this round, or while a child that was being started still had
      // copies of its descriptors.
      if (const auto found = by_token_.find(token); found != by_token_.end())
        Advance(*found->second);
    }
    TakeOrders();
    TakeDeadlines();
    TakeTimers();
  }
}

// INT_MIN: it is over.
int ProcessSupervisor::WaitMillis() {
  const std::lock_guard lock(mutex_);
  if (stopping_) return std::numeric_limits<int>::min();
  if (!adopted_.empty() || !look_at_.empty()) return 0;
  SteadyTime next = SteadyTime::max();
  if (!deadlines_.empty()) next = deadlines_.begin()->first;
  if (!timers_.empty()) next = std::min(next, timers_.begin()->first);
  sleeps_until_ = next;
  if (next == SteadyTime::max()) return -1;
  const auto left = std::chrono::ceil<Millis>(next - SteadyNow()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, std::numeric_limits<int>::max()));
}

void ProcessSupervisor::TakeOrders() {
  std::vector<std::shared_ptr<ProcessEntry>> adopted;
  std::vector<SandboxId> look_at;
  {
    const std::lock_guard lock(mutex_);
    adopted.swap(adopted_);
    look_at.swap(look_at_);
  }
  for (const std::shared_ptr<ProcessEntry>& entry : adopted) {
    if (entry->running()) Advance(WatchedOf(entry));
  }
  if (look_at.empty()) return;
  std::vector<Watched*> concerned;
  for (const auto& [entry, watched] : watched_) {
    if (std::ranges::find(look_at, entry->life->sandbox) != look_at.end()) {
      concerned.push_back(watched.get());
    }
  }
  for (Watched* watched : concerned) Advance(*watched);
}

void ProcessSupervisor::TakeDeadlines() {
  std::vector<std::shared_ptr<ProcessEntry>> due;
  {
    const std::lock_guard lock(mutex_);
    const SteadyTime now = SteadyNow();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      due.push_back(deadlines_.begin()->second);
      deadline_of_.erase(due.back().get());
      deadlines_.erase(deadlines_.begin());
    }
  }
  for (const std::shared_ptr<ProcessEntry>& entry : due) {
    if (!entry->running()) continue;
    Watched& watched = WatchedOf(entry);
    if (const auto again = watched.watch->OnDeadline()) SetDeadline(entry, *again);
    Advance(watched);
  }
}

void ProcessSupervisor::TakeTimers() {
  const SteadyTime now = SteadyNow();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Watched& watched = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    watched.timer.reset();
    Advance(watched);
  }
}

ProcessSupervisor::Watched& ProcessSupervisor::WatchedOf(
    const std::shared_ptr<ProcessEntry>& entry) {
  std::unique_ptr<Watched>& watched = watched_[entry.get()];
  if (!watched) {
    watched = std::make_unique<Watched>(++last_token_);
    const uint64_t token = watched->token;
    watched->watch = std::make_unique<ProcessWatch>(
        book_, entry, [this, token](int fd) { return Poll(fd, token); });
    by_token_.emplace(token, watched.get());
  }
  return *watched;
}

void ProcessSupervisor::Advance(Watched& watched) {
  if (watched.watch->Advance()) {
    CancelDeadline(watched.watch->entry());
    Drop(watched);
  } else {
    SetTimer(watched);
  }
}

void ProcessSupervisor::Drop(Watched& watched) {
  if (watched.timer) timers_.erase({*watched.timer, &watched});
  by_token_.erase(watched.token);
  watched_.erase(watched_.find(&watched.watch->entry()));
}

void ProcessSupervisor::SetTimer(Watched& watched) {
  const std::optional<SteadyTime> next = watched.watch->next();
  if (next == watched.timer) return;
  if (watched.timer) timers_.erase({*watched.timer, &watched});
  watched.timer = next;
  if (next) timers_.emplace(*next, &watched);
}

Result<void> ProcessSupervisor::Poll(int fd, uint64_t token) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
    return Failure(Error::FromErrno("epoll_ctl"));
  }
  return {};
}

}  // namespace cay::sandbox
