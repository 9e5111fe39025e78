// Spawner: the guest's one other thread. It starts every command, because only it is in the
// commands' Landlock domain (confine.h), and because a vfork parent waits: a child that hostile
// code stops before it executes may only hold up other starts.
//
//   auto spawner = TRY(Spawner::Start(Privileges::kNone));
//   spawner->Submit(job);                       // the job stays where it is …
//   loop.Watch(spawner->done_fd(), EPOLLIN, h); // … until TakeDone gives it back
//
// Submit and TakeDone are for the main thread. The thread ends with the process.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/os/fd.h"
#include "base/os/wakeup.h"
#include "base/privileges.h"
#include "base/result.h"
#include "guest/spawn/spawn_job.h"

namespace cay::guest {

class Spawner {
 public:
  // The thread confines itself before it takes a job; the guest ends where it cannot. The spawner
  // lives as long as the process.
  static Result<Spawner*> Start(Privileges privileges);

  void Submit(SpawnJob& job);
  int done_fd() const { return done_event_.fd(); }
  std::vector<SpawnJob*> TakeDone();

  // The listener on which the arbiter is asked; nothing where there is none. Known from the first
  // job's end on.
  std::optional<int> listener() const {
    return listener_ ? std::optional(listener_->get()) : std::nullopt;
  }

  // Where processes inside ask to start commands as others (guest/sudo/root_socket.h); nothing
  // where none may. Known as the listener is.
  std::optional<int> requests() const {
    return requests_ ? std::optional(requests_->get()) : std::nullopt;
  }

  // In a sandbox: the guest's second thread is the second of the pid namespace, and the engine's
  // filter keeps commands from changing how it is scheduled (sandbox_policy.h).
  static constexpr pid_t kThreadIdInside = 2;

  // The thread's id: the parent of every command (not of orphans). Known from the first job's end
  // on.
  pid_t thread_id() const { return thread_id_; }

 private:
  Spawner(Wakeup done, Privileges privileges)
      : done_event_(std::move(done)), privileges_(privileges) {}
  static void* ThreadMain(void* self);
  [[noreturn]] void Serve();

  const Wakeup done_event_;
  const Privileges privileges_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SpawnJob*> submitted_;
  std::vector<SpawnJob*> done_;
  std::atomic<pid_t> thread_id_ = 0;
  std::optional<Fd> listener_;  // these two are written before the first job is done
  std::optional<Fd> requests_;
};

}  // namespace cay::guest
