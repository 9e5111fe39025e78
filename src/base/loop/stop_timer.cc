#include "base/loop/stop_timer.h"

#include <poll.h>
#include <sys/timerfd.h>

#include <algorithm>

namespace cay {
namespace {

itimerspec In(Millis time) {
  const auto ms = std::max<Millis::rep>(time.count(), 0);
  // Zero would take the time away.
  const long rest = static_cast<long>(ms % 1000) * 1'000'000;
  return {.it_interval = {}, .it_value = {.tv_sec = ms / 1000, .tv_nsec = ms == 0 ? 1 : rest}};
}

}  // namespace

Result<StopTimer> StopTimer::Make() {
  const int raw = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (raw < 0) return Failure(Error::FromErrno("timerfd_create"));
  return StopTimer(Fd::Adopt(raw));
}

Result<StopTimer> StopTimer::After(Millis time) {
  StopTimer timer = TRY(Make());
  TRY(timer.StopAfter(time));
  return timer;
}

void StopTimer::Stop() const { (void)StopAfter(Millis(0)); }

Result<void> StopTimer::StopAfter(Millis time) const {
  // Setting it anew would take an expiry away that is there, for a moment.
  if (stopped()) return {};
  const itimerspec when = In(time);
  if (::timerfd_settime(fd_.get(), 0, &when, nullptr) != 0)
    return Failure(Error::FromErrno("timerfd_settime"));
  return {};
}

bool StopTimer::stopped() const {
  pollfd waited = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, 0) > 0;
}

}  // namespace cay
