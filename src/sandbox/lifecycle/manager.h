// Manager: the sandboxes of a server: their states, limits, owners and timers, the pool, what
// survives a restart. Every rule about a sandbox's life is here.
//
//   auto manager = TRY(Manager::Open(options, engine, templates, store));
//   SandboxView made = TRY(manager->Create(caller, spec, idempotency_key));
//   Lease lease = TRY(manager->Use(caller, made.id.text()));     // running, and kept from being idle
//   TRY(lease.guest().ReadFile(…));
//   TRY(manager->Destroy(caller, made.id.text(), "requested"));
//
// `which` is an id, a name among the caller's, or OWNER/NAME. Calls block and may come from any
// thread; those about different sandboxes wait for one another only in the engine. What was
// acknowledged is in the store.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "build/run/step.h"
#include "engine/engine.h"
#include "sandbox/events/event_log.h"
#include "sandbox/lifecycle/lease.h"
#include "sandbox/lifecycle/snapshots.h"
#include "sandbox/metrics.h"
#include "sandbox/network/network_report.h"
#include "sandbox/options.h"
#include "sandbox/package_source.h"
#include "sandbox/secrets/secret_keeper.h"
#include "sandbox/templates/pull_keeper.h"
#include "sandbox/types.h"
#include "sandbox/volumes/volume_keeper.h"
#include "store/store.h"
#include "template/store/template_store.h"

namespace cay::sandbox {

class Manager {
 public:
  // Takes over what an earlier server left. The references outlive the manager.
  static Result<std::unique_ptr<Manager>> Open(ManagerOptions options, engine::Engine& engine,
                                               templates::TemplateStore& templates,
                                               store::Store& store, EventLog& events);
  // Sandboxes live on.
  ~Manager();

  const ReconcileReport& reconciled() const;

  // From here on creates pull images as its rules say; it outlives the manager's last call. Null:
  // no more.
  void UsePulls(PullKeeper* pulls);
  // Likewise who installs the packages that creates ask for.
  void UsePackages(PackageSource* packages);

  // With the same key, owner and request it gives the same sandbox again (kIllegalState when that
  // has been destroyed since); with the same key and another request, kAlreadyExists. Keys are kept
  // for 24 hours.
  Result<SandboxView> Create(const Caller& caller, const SandboxSpec& spec,
                             const Idempotency& idempotency = {});
  // For a sandbox that was destroyed not long ago kNotFound says when and why.
  Result<SandboxView> Get(const Caller& caller, std::string_view which);
  Result<Page> List(const Caller& caller, const ListFilter& filter);
  Result<SandboxView> Update(const Caller& caller, std::string_view which,
                             const SandboxChange& change);
  Result<SandboxView> Extend(const Caller& caller, std::string_view which, Millis by);
  // No error when it is in that state already: a running sandbox is started, a stopped one stopped.
  Result<SandboxView> Start(const Caller& caller, std::string_view which);
  Result<SandboxView> Stop(const Caller& caller, std::string_view which);
  Result<SandboxView> Pause(const Caller& caller, std::string_view which);
  Result<SandboxView> Resume(const Caller& caller, std::string_view which);
  // As its template gave it: ends every process, everything that was written is gone. Project files
  // and mounts stay.
  Result<SandboxView> Reset(const Caller& caller, std::string_view which);
  // As one of its snapshots has it. kInvalidArgument for another sandbox's.
  Result<SandboxView> Restore(const Caller& caller, std::string_view which,
                              const std::string& snapshot);
  // What it wrote becomes a snapshot of its owner's.
  Result<templates::TemplateInfo> TakeSnapshot(const Caller& caller, std::string_view which,
                                               const SnapshotRequest& request);
  Snapshots& snapshots();
  VolumeKeeper& volumes();
  Result<void> Destroy(const Caller& caller, std::string_view which, const std::string& reason);
  // The network of the steps of a build, as it is asked for, within what holds for sandboxes. Null:
  // they have none. It does not outlive the manager.
  Result<std::unique_ptr<build::StepNetwork>> NetworkOfSteps(const Caller& caller,
                                                             const NetworkSpec& asked);
  // For administrators.
  Result<std::vector<Orphan>> Orphans();
  // Its life begins anew. kNotFound when there is no such orphan, kAlreadyExists when its owner has
  // another of its name.
  Result<SandboxView> Adopt(const Caller& caller, std::string_view id, const Adoption& adoption);
  Result<engine::Stats> GetStats(const Caller& caller, std::string_view which);
  // What holds of its network now.
  Result<NetworkReport> GetNetwork(const Caller& caller, std::string_view which);
  // Those that owners keep for their sandboxes; whose they are is the caller's to look at.
  SecretKeeper& secrets();
  // What would become of a connection to this host, a name or an address; may wait for name
  // servers.
  Result<NetworkCheck> CheckNetwork(const Caller& caller, std::string_view which,
                                    const std::string& host, uint16_t port);
  // Its flows with higher numbers than `after`, at most `limit`; of a stopped one too.
  Result<FlowPage> GetFlows(const Caller& caller, std::string_view which, uint64_t after,
                            size_t limit);
  // The same; waits so long for one. Of a sandbox that never had a network it does not wait.
  Result<FlowPage> AwaitFlows(const Caller& caller, std::string_view which, uint64_t after,
                              size_t limit, Millis patience);
  // kResourceExhausted when the state directory's disk has no room for one more sandbox with the
  // default disk limit; where it never had that much, when it has no room for a sandbox at all.
  Result<void> CheckRoom() const;
  // How many of its processes the kernel killed for want of its memory; nothing where that is not
  // known.
  std::optional<uint64_t> OomKills(const SandboxId& id);

  // kIllegalState unless it runs. A paused one is named as such, with the remedy.
  Result<Lease> Use(const Caller& caller, std::string_view which);
  // For its files alone: it may be stopped as well, and stays so while the lease lives (visits.h).
  Result<Lease> UseFiles(const Caller& caller, std::string_view which);

  // For the keeper of processes (process_keeper.h): a lease without a caller, whose connections to
  // the guest wait for nobody unless it is said; counting; the end of a guest.
  Result<Lease> UseForServer(const SandboxId& id, Millis connect_patience = Millis(0));
  // `begins`: they have just begun, and are not taken over from an earlier server.
  void NoteExecution(const SandboxId& id, int running_delta, bool begins = true);
  // The number of its newest flow; nothing: it never had a network. And what was denied, or failed,
  // after it.
  std::optional<uint64_t> NewestFlow(const SandboxId& id);
  DeniedFlows DeniedAfter(const SandboxId& id, uint64_t flow);
  // For the keeper of what starts with sandboxes (startup_keeper.h). It is told, without any lock
  // and on the caller's thread, of each sandbox whose start-up process is to be started, and says
  // what became of that: of the life that began at `started_unix_ms`, or else it is not heard.
  void OnGuestBegun(std::function<void(const SandboxId&)> callback);
  // Whether it is to be started, and nobody is at it: of what an earlier server left.
  bool TakeStartup(const SandboxId& id);
  void NoteStartup(const SandboxId& id, int64_t started_unix_ms, const StartupBegin& begin);
  void NoteProcessEnd(const SandboxId& id, const StartupEnd& end);
  void NoteHealth(const SandboxId& id, int64_t started_unix_ms, const CheckReport& report);
  // As UseForServer, and no use of it: it stays as idle as it is.
  Result<Lease> UseQuietly(const SandboxId& id);

  // Called, from any thread, when a sandbox's guest has ended: stop, reset, destroy, or by itself.
  // A new guest does not begin before it has returned; it must not start, stop, reset, pause,
  // resume, change or destroy that sandbox.
  void OnGuestGone(GuestGone callback);
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
