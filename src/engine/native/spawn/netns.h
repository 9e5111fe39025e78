// Network namespaces made ahead of demand: a fresh one costs about 0.3 ms with tails of
// milliseconds, entering one that is there costs a microsecond. They are made in moments without
// requests, or by a worker (ipc/worker.h) that is told to after each one that was taken.
//
// Only `lo` exists in it, and is up. It belongs to the initial user namespace, so that root inside
// a sandbox has no CAP_NET_ADMIN over it. Each is used by one sandbox only: abstract sockets and
// loopback ports are shared by all processes in a namespace. For a launcher that is root; an
// ordinary user's comes with clone3. A pool may furnish its own: with a network that is open
// (network/open_network.h).
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/supply/demand.h"

namespace cay::engine::native {

// What was put into a namespace, and has to be kept beside it: a text that describes it, and
// descriptors.
struct Furniture {
  std::string text{};
  std::vector<Fd> fds{};
};

struct Netns {
  Fd fd;
  Furniture furniture{};
};

class NetnsPool {
 public:
  // Runs in the new namespace.
  using Furnish = Result<Furniture> (*)();

  // Remembers the namespace this thread is in as the one to come back to. `furnish`: null for bare
  // ones.
  static Result<NetnsPool> Open(size_t wanted, Furnish furnish = nullptr);

  // Makes one more if fewer than wanted are ready; false when there was nothing to do. For idle
  // moments.
  Result<bool> Refill();

  // Has the worker make the missing ones, without waiting for it.
  Result<void> Order();
  // Keeps no more than were wanted at first.
  void Shrink();
  // Ends the worker.
  void LetGo();
  size_t ready() const { return ready_.size(); }

  // A ready one, or a new one.
  Result<Netns> Take();
  // Nothing: there is none. More will be kept ready.
  std::optional<Netns> TakeReady();

  // Runs `function` with this thread inside `netns` (of a pidfd: in that process's network
  // namespace), and always comes back (or aborts the process: to go on in a sandbox's namespace
  // would be worse).
  Result<void> Inside(const Fd& netns, const std::function<Result<void>()>& function) const;

 private:
  // Each is some 100 KiB of the kernel's memory.
  static constexpr size_t kMostByDemand = 4;

  NetnsPool(Fd home, size_t wanted, Furnish furnish)
      : home_(std::move(home)),
        furnish_(furnish),
        wanted_(wanted, wanted == 0 ? 0 : std::max(wanted, kMostByDemand)) {}
  Result<Netns> Make() const;
  Result<Netns> MakeHere() const;
  static void Serve(const Fd& socket, Furnish furnish);
  void Collect();
  void GoHome() const;

  Fd home_;
  Furnish furnish_;
  Demand wanted_;
  std::deque<Netns> ready_;
  std::optional<Fd> worker_;  // null: it is not there
  size_t coming_ = 0;         // asked of it, and not come yet
};

// In the calling thread's network namespace, which is new: brings `lo` up, bounds what connections
// leave behind, and lets everybody have any port and ping.
Result<void> PrepareNetwork(bool single_user);

}  // namespace cay::engine::native
