#include "base/os/wakeup.h"

#include <sys/eventfd.h>

namespace cay {

Result<Wakeup> Wakeup::Make() {
  const int raw = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (raw < 0) return Failure(Error::FromErrno("eventfd"));
  return Wakeup(Fd::Adopt(raw));
}

// Full it is readable all the same.
void Wakeup::Raise() const { (void)::eventfd_write(event_.get(), 1); }

// Empty it fails, and stays empty.
void Wakeup::Drain() const {
  eventfd_t count = 0;
  (void)::eventfd_read(event_.get(), &count);
}

}  // namespace cay
