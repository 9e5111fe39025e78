// Wakeup: how other threads wake a loop that waits in poll(2) or epoll(7): an eventfd(2).
//
//   Wakeup wake = TRY(Wakeup::Make());
//   … poll({wake.fd(), POLLIN}) …; wake.Drain();   // the loop, then it looks for what is new
//   … under the lock: there is something new …; wake.Raise();         // any thread
//
// Its descriptor is readable from Raise() until Drain(). Where nobody drains, the first Raise() is
// for ever: so an end is told, to any number of waiters. Raise and Drain are thread-safe and never
// wait.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"

namespace cay {

class Wakeup {
 public:
  static Result<Wakeup> Make();

  void Raise() const;
  void Drain() const;

  // To be waited on; the Wakeup keeps it.
  int fd() const { return event_.get(); }
  // For a waiter that may outlive it.
  Result<Fd> Duplicate() const { return event_.Duplicate(); }

 private:
  explicit Wakeup(Fd event) : event_(std::move(event)) {}

  Fd event_;
};

}  // namespace cay
