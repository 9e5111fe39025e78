#include "sandbox/state/guest_watch.h"

#include <poll.h>
#include <sys/epoll.h>

#include <array>
#include <vector>

namespace cay::sandbox {
namespace {

constexpr int kAgainMs = 10;
constexpr int kForeverMs = -1;

}  // namespace

bool IsGone(const Fd& pidfd) {
  pollfd poller{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&poller, 1, 0) == 1;
}

GuestWatch::GuestWatch(Fd epoll, Wakeup wake, OnGone on_gone)
    : epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      on_gone_(std::move(on_gone)),
      thread_([this] { Run(); }) {}

Result<std::unique_ptr<GuestWatch>> GuestWatch::Start(OnGone on_gone) {
  const int raw = ::epoll_create1(EPOLL_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno("epoll_create1"));
  Fd epoll = Fd::Adopt(raw);
  Wakeup wake = TRY(Wakeup::Make());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.fd(), &event) < 0)
    return Failure(Error::FromErrno("epoll_ctl"));
  return std::unique_ptr<GuestWatch>(
      new GuestWatch(std::move(epoll), std::move(wake), std::move(on_gone)));
}

Result<void> GuestWatch::Add(const SandboxId& id, const Fd& pidfd) {
  Fd own = TRY(pidfd.Duplicate());
  Remove(id);
  const std::lock_guard lock(mutex_);
  const uint64_t token = next_token_++;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = token;
  // Known before it can fire: Take waits for the lock.
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, own.get(), &event) < 0)
    return Failure(Error::FromErrno("watching a guest"));
  tokens_.emplace(token, id);
  watched_.emplace(id, Watched{token, std::move(own)});
  return {};
}

void GuestWatch::Remove(const SandboxId& id) {
  const std::lock_guard lock(mutex_);
  gone_.erase(id);
  const auto found = watched_.find(id);
  if (found == watched_.end()) return;
  // By hand: other descriptors of the same pidfd keep it in the epoll set.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.pidfd.get(), nullptr);
  tokens_.erase(found->second.token);
  watched_.erase(found);
}

void GuestWatch::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.Raise();
  if (thread_.joinable()) thread_.join();
}

void GuestWatch::Take(uint64_t token) {
  const std::lock_guard lock(mutex_);
  const auto found = tokens_.find(token);
  if (found != tokens_.end()) gone_.insert(found->second);
}

void GuestWatch::Run() {
  std::array<epoll_event, 64> events{};
  int wait_ms = kForeverMs;
  while (true) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < count; ++i) Take(events[static_cast<size_t>(i)].data.u64);
    std::vector<SandboxId> gone;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      gone.assign(gone_.begin(), gone_.end());
    }
    wait_ms = kForeverMs;
    for (const SandboxId& id : gone) {
      if (!on_gone_(id)) {
        wait_ms = kAgainMs;
        continue;
      }
      // Unless it has a new guest by now: then Add took it out of gone_.
      bool still = false;
      {
        const std::lock_guard lock(mutex_);
        still = gone_.erase(id) != 0;
      }
      if (still) Remove(id);
    }
  }
}

}  // namespace cay::sandbox
