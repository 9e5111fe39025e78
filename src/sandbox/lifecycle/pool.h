// Pools: sandboxes made ahead of demand, one pool for each template and set of limits.
//
//   pools.Configure(options.pools);
//   const Pools::Foreground foreground = pools.Enter();      // a create waits: nothing is made ahead
//   if (auto member = pools.Claim(template, limits)) …       // the caller's now
//
// A pool has as many ready as its Demand says: the minimum at rest; each miss doubles it, up to the
// maximum; a time without claims takes one back. Members are made one at a time by a thread of the
// pools' own, which stands back while a create waits. One that was claimed never comes back. A
// member whose guest is gone, or whose template has changed, is destroyed and not given out.
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/supply/demand.h"
#include "engine/engine.h"
#include "sandbox/lifecycle/core.h"
#include "template/store/template_store.h"

namespace cay::sandbox {

struct PoolMember {
  SandboxId id;
  engine::Created created;
  engine::RootFilesystem root;  // what its template was when it was made
};

class Pools {
 public:
  explicit Pools(Core& core) : core_(core) {}
  ~Pools() { Stop(); }
  Pools(const Pools&) = delete;
  Pools& operator=(const Pools&) = delete;

  // Pools that are still there keep their members. Starts the thread.
  void Configure(const std::vector<PoolOptions>& options);

  // While one lives a create waits for the engine, and no members are made.
  class Foreground {
   public:
    explicit Foreground(Pools& pools) : pools_(pools) { pools_.Begin(); }
    ~Foreground() { pools_.End(); }
    Foreground(const Foreground&) = delete;
    Foreground& operator=(const Foreground&) = delete;

   private:
    Pools& pools_;
  };

  // Nothing when there is no such pool, or none is ready.
  std::optional<PoolMember> Claim(const templates::Template& base, const engine::Limits& limits);
  // Destroys a member, to make room for what is asked for now. False when there is none.
  bool EvictOne();
  std::vector<PoolStatus> Status() const;

  // Ends the thread; members live on.
  void Stop();
  // Ends the thread, and destroys all members.
  void Drain();

 private:
  using Clock = std::chrono::steady_clock;

  struct Pool {
    PoolOptions options;
    std::deque<PoolMember> ready;
    Demand wanted{0, 0};
    size_t making = 0;
    uint64_t claimed = 0, missed = 0, discarded = 0;
    std::string last_error;
    Clock::time_point last_claim;  // or shrinking
    Clock::time_point not_before;  // after a failure
    Millis backoff{0};

    // None is made or given out any more.
    void Close() {
      options.minimum = options.maximum = 0;
      wanted = Demand(0, 0);
    }
  };
  struct Doomed {
    SandboxId id;
    Holding holding;
  };

  void Begin();
  void End();
  void Run();
  Pool* FindPool(const std::string& template_name, const engine::Limits& limits);
  void Shrink(Clock::time_point now);
  static bool IsShort(const Pool& pool) { return pool.ready.size() < pool.wanted.target(); }
  Clock::time_point RefillTime(const Pool& pool) const;
  Pool* Hungry(Clock::time_point now);
  Clock::time_point NextLook(Clock::time_point now) const;
  void Refill(std::unique_lock<std::mutex>& lock, Pool& pool);
  Result<PoolMember> Make(const PoolOptions& options);
  void Discard(Pool& pool, PoolMember member);
  void DestroyDoomed(std::unique_lock<std::mutex>& lock);

  Core& core_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Pool> pools_;  // a pool that is being refilled does not move
  std::vector<Doomed> doomed_;
  size_t foreground_ = 0;
  Clock::time_point quiet_since_;  // the last Foreground's end
  bool will_look_ = false;         // the thread, by itself and soon
  bool stopping_ = false;
  std::thread thread_;
};

bool SameLimits(const engine::Limits& a, const engine::Limits& b);

}  // namespace cay::sandbox
