// Arbiter: answers the calls that the commands' filter cannot decide (command_policy.h), on a
// thread of its own.
//
//   Arbiter* arbiter = TRY(Arbiter::Create(loop, proc));
//   TRY(arbiter->Begin(listener, spawner_thread));   // once there are commands
//
// The first such call starts the thread, since many sandboxes have none; while the sandbox has no
// process left for it, calls that ask are refused for want of resources. It is outside the
// commands' Landlock domain and their filter. It may wait for a command (which is stopped, or gets
// no processor while it takes a descriptor): then only commands that ask wait behind it.
//
// A call that asks waits in the kernel; there are never more of them than threads. What an argument
// points to is read once, and acted on by the arbiter itself: a command is told to go on with its
// own call (SECCOMP_USER_NOTIF_FLAG_CONTINUE) only where the decision was about arguments in
// registers, which nobody can change meanwhile (seccomp_unotify(2)).
#pragma once

#include <linux/seccomp.h>

#include <optional>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "guest/confinement/nested_filters.h"

namespace cay::guest {

class Arbiter final : public EventLoop::Handler {
 public:
  // `proc` is the directory /proc. It lives as long as the process, as its thread does.
  static Result<Arbiter*> Create(EventLoop& loop, const Fd& proc);

  // `listener` is the command filter's, borrowed for as long as the process lives.
  Result<void> Begin(int listener, pid_t spawner);
  bool begun() const { return filters_.has_value(); }

 private:
  Arbiter(EventLoop& loop, Fd proc) : loop_(loop), proc_(std::move(proc)) {}
  void OnReady(uint32_t events) override;
  static void* ThreadMain(void* self);
  [[noreturn]] void Serve();
  std::optional<seccomp_notif> Receive() const;

  void Answer(const seccomp_notif& asked);
  void AnswerSocket(const seccomp_notif& asked);
  void AnswerOneMoreOfTheInternet(const seccomp_notif& asked) const;
  void AnswerSetBuffer(const seccomp_notif& asked) const;

  void GoOn(const seccomp_notif& asked) const;
  void Return(const seccomp_notif& asked, int sys_errno) const;
  // False: the caller does not ask any more.
  bool ReturnDescriptor(const seccomp_notif& asked, int fd) const;
  void Give(const seccomp_notif& asked, const Fd& socket, bool close_on_exec);
  // False: there is none for it, and it still waits.
  bool GiveLost(const seccomp_notif& asked);
  bool StillAsks(const seccomp_notif& asked) const;

  EventLoop& loop_;
  const Fd proc_;
  int listener_ = -1;
  std::optional<NestedFilters> filters_;

  // A socket that was put into a command whose call was interrupted before it got the answer. The
  // command mostly asks again at once.
  struct Lost {
    pid_t thread;
    int fd;
    uint64_t type;
    uint64_t cookie;  // SO_COOKIE: the number may stand for something else by then
  };
  std::vector<Lost> lost_;
};

}  // namespace cay::guest
