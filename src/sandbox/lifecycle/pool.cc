#include "sandbox/lifecycle/pool.h"

#include <algorithm>

#include "base/clock.h"
#include "base/os/log.h"

namespace cay::sandbox {
namespace {

constexpr Millis kFirstBackoff{500};
constexpr Millis kLastBackoff{30'000};
// How often members are looked at while nothing happens.
constexpr Millis kLook{1000};
// Who has just created is likely to ask for more. A pool that is half full or more lets so much
// time pass.
constexpr Millis kQuiet{5};

}  // namespace

bool SameLimits(const engine::Limits& a, const engine::Limits& b) {
  return a.memory == b.memory && a.cpus == b.cpus && a.pids == b.pids && a.disk == b.disk &&
         a.inodes == b.inodes && a.open_files == b.open_files &&
         FileSizeLimit(a) == FileSizeLimit(b);
}

void Pools::Configure(const std::vector<PoolOptions>& options) {
  const std::lock_guard lock(mutex_);
  for (Pool& pool : pools_) pool.Close();
  for (const PoolOptions& wanted : options) {
    Pool* pool = FindPool(wanted.template_name, wanted.limits);
    if (pool == nullptr) pool = &pools_.emplace_back();
    pool->options = wanted;
    pool->options.maximum = std::max(wanted.maximum, wanted.minimum);
    pool->wanted = Demand(wanted.minimum, pool->options.maximum);
    pool->last_claim = SteadyNow();
  }
  for (Pool& pool : pools_) {
    while (pool.ready.size() > pool.options.maximum) {
      Discard(pool, std::move(pool.ready.back()));
      pool.ready.pop_back();
    }
  }
  if (!thread_.joinable() && !stopping_ && !pools_.empty())
    thread_ = std::thread([this] { Run(); });
  changed_.notify_all();
}

void Pools::Begin() {
  const std::lock_guard lock(mutex_);
  ++foreground_;
}

void Pools::End() {
  {
    const std::lock_guard lock(mutex_);
    --foreground_;
    quiet_since_ = SteadyNow();
    if (foreground_ != 0 || will_look_ || std::ranges::none_of(pools_, IsShort)) return;
  }
  changed_.notify_all();
}

Pools::Pool* Pools::FindPool(const std::string& template_name, const engine::Limits& limits) {
  for (Pool& pool : pools_) {
    if (pool.options.template_name == template_name && SameLimits(pool.options.limits, limits))
      return &pool;
  }
  return nullptr;
}

std::optional<PoolMember> Pools::Claim(const templates::Template& base,
                                       const engine::Limits& limits) {
  const std::lock_guard lock(mutex_);
  Pool* pool = FindPool(base.name, limits);
  if (pool == nullptr || pool->options.maximum == 0) return std::nullopt;
  pool->last_claim = SteadyNow();
  while (!pool->ready.empty()) {
    PoolMember member = std::move(pool->ready.front());
    pool->ready.pop_front();
    if (!IsGone(*member.created.guest) && SameRoot(member.root, base.root)) {
      ++pool->claimed;
      return member;
    }
    Discard(*pool, std::move(member));
  }
  ++pool->missed;
  pool->wanted.NoteMiss();
  return std::nullopt;
}

bool Pools::EvictOne() {
  std::unique_lock lock(mutex_);
  for (Pool& pool : pools_) {
    if (pool.ready.empty()) continue;
    Discard(pool, std::move(pool.ready.back()));
    pool.ready.pop_back();
    // What was taken away for want of room is not made again at once.
    pool.not_before = SteadyNow() + kLook;
    DestroyDoomed(lock);
    return true;
  }
  return false;
}

std::vector<PoolStatus> Pools::Status() const {
  const std::lock_guard lock(mutex_);
  std::vector<PoolStatus> all;
  for (const Pool& pool : pools_) {
    all.push_back({.template_name = pool.options.template_name,
                   .limits = pool.options.limits,
                   .ready = pool.ready.size(),
                   .minimum = pool.options.minimum,
                   .maximum = pool.options.maximum,
                   .making = pool.making,
                   .claimed = pool.claimed,
                   .missed = pool.missed,
                   .discarded = pool.discarded,
                   .last_error = pool.last_error});
  }
  return all;
}

// Under the lock; destroyed by whoever calls DestroyDoomed.
void Pools::Discard(Pool& pool, PoolMember member) {
  ++pool.discarded;
  doomed_.push_back({std::move(member.id), HoldingOf(pool.options.limits)});
}

void Pools::DestroyDoomed(std::unique_lock<std::mutex>& lock) {
  while (!doomed_.empty()) {
    const Doomed doomed = std::move(doomed_.back());
    doomed_.pop_back();
    lock.unlock();
    const auto destroyed = core_.engine.Destroy(doomed.id);
    // What could not be destroyed is promised to nobody: the next start tries again.
    if (!destroyed && destroyed.error().code() != ErrorCode::kNotFound)
      LogWarning("a member of a pool: " + destroyed.error().ToString());
    core_.admission.ReleasePooled(doomed.holding);
    lock.lock();
  }
}

void Pools::Shrink(Clock::time_point now) {
  for (Pool& pool : pools_) {
    for (auto member = pool.ready.begin(); member != pool.ready.end();) {
      if (IsGone(*member->created.guest)) {
        Discard(pool, std::move(*member));
        member = pool.ready.erase(member);
      } else {
        ++member;
      }
    }
    if (now - pool.last_claim >= pool.options.shrink_after && pool.wanted.TakeOneBack()) {
      pool.last_claim = now;
    }
    while (pool.ready.size() > pool.wanted.target()) {
      Discard(pool, std::move(pool.ready.back()));
      pool.ready.pop_back();
    }
  }
}

Pools::Clock::time_point Pools::RefillTime(const Pool& pool) const {
  const bool is_urgent = pool.ready.size() * 2 < pool.wanted.target();
  return std::max(pool.not_before, is_urgent ? quiet_since_ : quiet_since_ + kQuiet);
}

Pools::Pool* Pools::Hungry(Clock::time_point now) {
  if (foreground_ != 0) return nullptr;
  const auto hungry = std::ranges::find_if(
      pools_, [&](const Pool& pool) { return IsShort(pool) && RefillTime(pool) <= now; });
  return hungry == pools_.end() ? nullptr : &*hungry;
}

// When the thread has something to do, if nothing happens until then.
Pools::Clock::time_point Pools::NextLook(Clock::time_point now) const {
  Clock::time_point next = now + kLook;
  if (foreground_ != 0) return next;  // its end says so
  for (const Pool& pool : pools_) {
    if (IsShort(pool)) next = std::min(next, RefillTime(pool));
  }
  return next;
}

Result<PoolMember> Pools::Make(const PoolOptions& options) {
  const templates::Template base = TRY(core_.templates.Find(options.template_name));
  engine::CreateRequest request(TRY(SandboxId::Generate()), base.root);
  request.limits = options.limits;
  request.lifetime = engine::Lifetime::kPersistent;
  request.label = std::string(kServerLabel) + base.name;
  const Holding holding = HoldingOf(options.limits);
  TRY(core_.admission.AdmitPooled(holding));
  auto created = core_.engine.Create(request);
  if (!created) {
    core_.admission.ReleasePooled(holding);
    return Failure(std::move(created).error());
  }
  return PoolMember{std::move(request.id), *std::move(created), base.root};
}

void Pools::Refill(std::unique_lock<std::mutex>& lock, Pool& pool) {
  const PoolOptions options = pool.options;
  ++pool.making;
  lock.unlock();
  auto made = Make(options);
  lock.lock();
  --pool.making;
  if (made) {
    pool.ready.push_back(std::move(*made));
    pool.last_error.clear();
    pool.backoff = Millis(0);
    return;
  }
  if (pool.last_error != made.error().message())
    LogWarning("the pool of " + options.template_name + ": " + made.error().ToString());
  pool.last_error = made.error().message();
  pool.backoff = std::clamp(pool.backoff * 2, kFirstBackoff, kLastBackoff);
  pool.not_before = SteadyNow() + pool.backoff;
}

void Pools::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Shrink(SteadyNow());
    DestroyDoomed(lock);
    if (stopping_) break;
    if (Pool* pool = Hungry(SteadyNow())) {
      Refill(lock, *pool);
    } else {
      const Clock::time_point now = SteadyNow();
      const Clock::time_point next = NextLook(now);
      will_look_ = next <= now + kQuiet;
      changed_.wait_for(lock, next - now);  // whoever notifies may have moved the time
      will_look_ = false;
    }
  }
}

void Pools::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Pools::Drain() {
  Stop();
  std::unique_lock lock(mutex_);
  for (Pool& pool : pools_) {
    for (PoolMember& member : pool.ready) Discard(pool, std::move(member));
    pool.ready.clear();
    pool.Close();
  }
  DestroyDoomed(lock);
}

}  // namespace cay::sandbox
