// GuestWatch: one thread that sees the end of every guest, by their pidfds.
//
//   GuestWatch watch = … Start([&](const SandboxId& id) { … return true; });
//   TRY(watch->Add(id, pidfd));
//   watch->Remove(id);                  // its end is expected from here on
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/os/wakeup.h"
#include "base/result.h"

namespace cay::sandbox {

class GuestWatch {
 public:
  // Called on the watch's thread; false: busy, call again soon.
  using OnGone = std::function<bool(const SandboxId& id)>;

  static Result<std::unique_ptr<GuestWatch>> Start(OnGone on_gone);
  ~GuestWatch() { Stop(); }
  GuestWatch(const GuestWatch&) = delete;
  GuestWatch& operator=(const GuestWatch&) = delete;

  // One for each sandbox: a later one replaces the earlier.
  Result<void> Add(const SandboxId& id, const Fd& pidfd);
  void Remove(const SandboxId& id);
  // No call is under way afterwards, and none comes.
  void Stop();

 private:
  struct Watched {
    uint64_t token;  // of epoll; never used twice
    Fd pidfd;
  };

  GuestWatch(Fd epoll, Wakeup wake, OnGone on_gone);
  void Run();
  void Take(uint64_t token);

  Fd epoll_;
  const Wakeup wake_;
  const OnGone on_gone_;
  std::mutex mutex_;
  std::map<SandboxId, Watched> watched_;
  std::map<uint64_t, SandboxId> tokens_;
  std::set<SandboxId> gone_;  // seen, and not yet said
  uint64_t next_token_ = 1;   // 0 is wake_
  bool stopping_ = false;
  std::thread thread_;
};

// Whether the guest is gone.
bool IsGone(const Fd& pidfd);

}  // namespace cay::sandbox
