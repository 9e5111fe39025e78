// Manager: the sandboxes of a server: their states, limits, owners and timers, the pool, what
// survives a restart. Every rule about a sandbox's life is here.
//
//   auto manager = TRY(Manager::Open(options, engine, templates, store));
//   SandboxView made = TRY(manager->Create(caller, spec, idempotency_key));
//   Lease lease = TRY(manager->Use(caller, made.id.text()));     // running, and kept from being idle
//   TRY(lease.guest().ReadFile(…));
//   TRY(manager->Destroy(caller, made.id.text(), "requested"));
//
// `which` is an id, a name among the caller's, or OWNER/NAME. Calls block and may come from any thread; those about
// different sandboxes do not wait for one another but in the engine. What was acknowledged is in the
// store.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "sandbox/event_log.h"
#include "sandbox/guest_channel.h"
#include "sandbox/health.h"
#include "sandbox/types.h"
#include "store/store.h"
#include "template/template_store.h"

namespace cay::sandbox {

// One warm pool. Limits that are left out are the defaults.
struct PoolOptions {
  std::string template_name = "host";
  engine::Limits limits;
  size_t minimum = 0;           // ready at all times
  size_t maximum = 0;           // never more; after a burst it grows towards this …
  Millis shrink_after{60'000};  // … and goes back after so long without one
};

struct ManagerOptions {
  Paths paths;
  std::string default_template = "host";
  engine::Limits default_limits;
  engine::Limits max_limits;   // of one sandbox
  Millis default_cpu_time{0};  // of each process; 0: any
  Millis max_cpu_time{0};      // 0: any, and none
  Millis default_timeout{86'400'000};
  Millis max_timeout{604'800'000};  // 0: any, and "none" is allowed
  Millis default_idle_timeout{1'800'000};
  Millis max_idle_timeout{86'400'000};
  OnTimeout default_on_timeout = OnTimeout::kDestroy;
  size_t max_sandboxes = 1000;  // of the server, pooled ones included
  size_t max_sandboxes_per_owner = 1000;
  Bytes max_memory = 0;  // sum of memory limits; 0: no bound
  // Sum of disk limits, in thousandths of the size of the state directory's filesystem; 0: no bound.
  uint32_t disk_committed = 2000;
  std::vector<std::string>
      mount_roots;  // host directories below which mounts are allowed; read-write ones end in ":rw"
  std::vector<PoolOptions> pools;
  Millis sweep_interval{60'000};  // at the latest; deadlines are met when they come
  HealthThresholds health;
  size_t max_creating = 1024;  // creates that wait for the engine; more get kUnavailable
};

// While one lives the sandbox is in use: it is not idle, and is not destroyed under its user's hands without
// that user's streams ending. Movable; for one thread at a time.
class Lease {
 public:
  Lease(Lease&&) noexcept;
  Lease& operator=(Lease&&) noexcept;
  ~Lease();

  const SandboxId& id() const;
  const SandboxView& view() const;  // as it was when it was taken
  const GuestChannel& guest() const;
  std::vector<std::string> Environment(
      const StringMap& more) const;  // template's, sandbox's, these
  // Those of protocol::kAccountVariables that neither the sandbox's maker nor `more` has set.
  std::vector<std::string> AccountVariables(const StringMap& more) const;
  const std::string& user() const;
  const std::string& workdir() const;
  // kIllegalState of a place that a stopped sandbox has not: what is in memory. `path`: absolute.
  Result<void> CheckKept(std::string_view path) const;
  // A descriptor that polls readable once the guest is gone.
  Result<Fd> Watch() const;

 private:
  friend class Manager;
  struct Hold;
  explicit Lease(std::unique_ptr<Hold> hold);
  std::unique_ptr<Hold> hold_;
};

struct ListFilter {
  std::optional<SandboxState> state{};
  std::string project{};
  std::string template_name{};
  StringMap metadata{};               // all of these
  std::string owner{};                // empty: everybody's that the caller may see
  std::optional<std::string> face{};  // SandboxSpec::face
  std::string cursor{};               // Page::next of the page before
  size_t limit = 100;                 // at most 1000
};

struct Page {
  std::vector<SandboxView> sandboxes;  // newest first
  std::string next;                    // empty: the last page
};

// What /metrics shows. Bucket i counts what took at most 64 µs << i; the last one all that took
// longer as well.
struct Histogram {
  static constexpr size_t kBuckets = 21;
  std::array<uint64_t, kBuckets> counts{};
  uint64_t count = 0;
  uint64_t sum_us = 0;
};

struct PoolStatus {
  std::string template_name;
  engine::Limits limits;
  size_t ready = 0, minimum = 0, maximum = 0, making = 0;
  uint64_t claimed = 0, missed = 0, discarded = 0;
  std::string last_error;
};

struct ManagerMetrics {
  std::array<uint64_t, 6> by_state{};  // SandboxState
  uint64_t created = 0, destroyed = 0, failed = 0, refused = 0, adopted = 0, lost = 0;
  std::array<Histogram, engine::kStageCount> stages;
  Histogram create_cold, create_pooled, destroy;
  std::vector<PoolStatus> pools;
};

// What opening found.
struct ReconcileReport {
  size_t adopted = 0;                                     // promised, and there
  std::vector<std::pair<std::string, std::string>> lost;  // promised, not there: id, why
  size_t removed = 0;                                     // there, promised to nobody: destroyed
  size_t orphaned = 0;  // there, promised, and named by no row: left to themselves (orphans.h)
};

// A sandbox that was promised to somebody, by its own account, and that the store does not know: the database was lost,
// or is an older one. It runs on; nobody can use it, and no deadline ends it.
struct Orphan {
  SandboxId id;
  int64_t since_unix_ms = 0;
  int64_t created_unix_ms = 0;
  std::string owner{};  // as it says itself; empty: it does not
  std::string name{};
  std::string template_name{};
  engine::State state = engine::State::kRunning;
  std::string damage{};  // why it cannot be adopted; empty: it can
};

// Whose an orphan becomes, and under which name; what is left out is as it was, and the caller's where nothing says whose.
struct Adoption {
  std::optional<std::string> owner{};
  std::optional<std::string> name{};
};

// What a create's Idempotency-Key stands for.
struct Idempotency {
  std::string key{};  // empty: none
  // What the client sent, in a form that is equal for equal requests. Not what was made of it: that grows with each field
  // that a newer program knows, and a key outlives the program.
  std::string asked{};
};

class Manager {
 public:
  // Takes over what an earlier server left. The references outlive the manager.
  static Result<std::unique_ptr<Manager>> Open(ManagerOptions options, engine::Engine& engine,
                                               templates::TemplateStore& templates,
                                               store::Store& store, EventLog& events);
  // Sandboxes live on.
  ~Manager();

  const ReconcileReport& reconciled() const;

  // Same key, same owner, the same asked for: the same sandbox again (kIllegalState when it has been destroyed
  // since). Same key, something else asked for: kAlreadyExists. Keys are kept for 24 hours.
  Result<SandboxView> Create(const Caller& caller, const SandboxSpec& spec,
                             const Idempotency& idempotency = {});
  // kNotFound says when and why, of one that was destroyed not long ago.
  Result<SandboxView> Get(const Caller& caller, std::string_view which);
  Result<Page> List(const Caller& caller, const ListFilter& filter);
  Result<SandboxView> Update(const Caller& caller, std::string_view which,
                             const SandboxChange& change);
  Result<SandboxView> Extend(const Caller& caller, std::string_view which, Millis by);
  // What is so already is no error: a running sandbox is started, a stopped one stopped.
  Result<SandboxView> Start(const Caller& caller, std::string_view which);
  Result<SandboxView> Stop(const Caller& caller, std::string_view which);
  Result<SandboxView> Pause(const Caller& caller, std::string_view which);
  Result<SandboxView> Resume(const Caller& caller, std::string_view which);
  // As its template gave it: ends every process, everything that was written is gone. Project files and mounts stay.
  Result<SandboxView> Reset(const Caller& caller, std::string_view which);
  Result<void> Destroy(const Caller& caller, std::string_view which, const std::string& reason);
  // For administrators.
  Result<std::vector<Orphan>> Orphans();
  // Its life begins anew. kNotFound when there is no such orphan, kAlreadyExists when its owner has another of its name.
  Result<SandboxView> Adopt(const Caller& caller, std::string_view id, const Adoption& adoption);
  Result<engine::Stats> GetStats(const Caller& caller, std::string_view which);
  // kResourceExhausted when the state directory's disk has no room for one more sandbox with the default disk limit; where
  // it never had, for one at all.
  Result<void> CheckRoom() const;
  // How many of its processes the kernel killed for want of its memory; nothing where that is not known.
  std::optional<uint64_t> OomKills(const SandboxId& id);

  // kIllegalState unless it runs. A paused one is named as such, with the remedy.
  Result<Lease> Use(const Caller& caller, std::string_view which);
  // For its files alone: it may be stopped as well, and is then as long as the lease lives (visits.h).
  Result<Lease> UseFiles(const Caller& caller, std::string_view which);

  // For the keeper of processes (process_keeper.h): a lease without a caller, whose connections to the guest wait for nobody
  // unless it is said; counting; the end of a guest.
  Result<Lease> UseForServer(const SandboxId& id, Millis connect_patience = Millis(0));
  // `begins`: they have just begun, and are not taken over from an earlier server.
  void NoteExecution(const SandboxId& id, int running_delta, bool begins = true);
  // Called, from any thread, when a sandbox's guest has ended: stop, reset, destroy, or by itself. A
  // new guest does not begin before it has returned; it must not start, stop, reset, pause, resume,
  // change or destroy that sandbox.
  void OnGuestGone(std::function<void(const SandboxId& id, const std::string& reason)> callback);
  // Those that have a guest: running and paused ones.
  std::vector<SandboxId> Running();

  // Applies what a reload may change: limits, timeouts, pools, mount roots. Not the paths and not
  // the sweep's interval.
  void Reconfigure(const ManagerOptions& options);
  std::shared_ptr<const ManagerOptions> options() const;  // in force
  ManagerMetrics Metrics();
  // No more creates (kUnavailable); waits for those under way. Pool members are destroyed. Without
  // it they live on, and the next server removes them.
  void Drain(Millis patience);

 private:
  class Impl;
  explicit Manager(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::sandbox
