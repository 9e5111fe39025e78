#include "sandbox/lifecycle/manager.h"

#include <algorithm>
#include <utility>

#include "base/os/disk_room.h"
#include "base/os/log.h"
#include "sandbox/lifecycle/core.h"
#include "sandbox/lifecycle/creator.h"
#include "sandbox/lifecycle/lease_hold.h"
#include "sandbox/lifecycle/listing.h"
#include "sandbox/lifecycle/orphans.h"
#include "sandbox/lifecycle/pool.h"
#include "sandbox/lifecycle/reconcile.h"
#include "sandbox/lifecycle/sweeper.h"
#include "sandbox/lifecycle/transitions.h"
#include "sandbox/lifecycle/visits.h"
#include "sandbox/network/step_network.h"
#include "sandbox/secrets/trust.h"

namespace cay::sandbox {

class Manager::Impl {
 public:
  Impl(ManagerOptions options, engine::Engine& engine, templates::TemplateStore& templates,
       store::Store& store, EventLog& events)
      : core(std::move(options), engine, templates, store, events),
        transitions(core),
        snapshots(core),
        visits(core),
        sweeper(core, transitions),
        pools(core),
        creator(core, pools) {}

  // Nobody calls any more: threads first, then what they use.
  ~Impl() {
    pools.Stop();
    if (core.timer) core.timer->Stop();
    if (core.watch) core.watch->Stop();
    core.networks->Stop();
    sweeper.SaveActivities();
    (void)core.store.Flush();  // the store logs it, and tries again
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> Begin() {
    // What the first sandbox with secrets would stumble over.
    TRY(OpenTrusted(core.options()->network.extra_ca));
    core.watch = TRY(GuestWatch::Start([this](const SandboxId& id) { return sweeper.OnGone(id); }));
    const Millis sweep = std::clamp(core.options()->sweep_interval, kShortestSweep, kLongestSweep);
    core.timer = std::make_unique<Timer>(
        sweep, [this](const SandboxId& id) { sweeper.OnTime(id); }, [this] { sweeper.Look(); });
    report = TRY(Reconcile(core));
    if (const auto left = core.volumes.CollectGarbage(); !left)
      LogWarning("volumes that were not finished: " + left.error().ToString());
    pools.Configure(core.options()->pools);
    return {};
  }

  // What the engine does for a caller comes before what it does for a pool.
  template <class F>
  auto WithEngine(const Caller& caller, std::string_view which, F&& act)
      -> decltype(act(std::declval<Sandbox&>())) {
    const Pools::Foreground foreground(pools);
    return With(caller, which, std::forward<F>(act));
  }

  // What each call of a caller's begins with.
  template <class F>
  auto With(const Caller& caller, std::string_view which, F&& act)
      -> decltype(act(std::declval<Sandbox&>())) {
    const auto sandbox = TRY(core.Find(caller, which));
    return std::forward<F>(act)(*sandbox);
  }

  // A call after which there may be a new guest, whether it succeeded or not.
  template <class F>
  Result<SandboxView> WithStartup(const Caller& caller, std::string_view which, F&& act) {
    const auto sandbox = TRY(core.Find(caller, which));
    Result<SandboxView> view = [&] {
      const Pools::Foreground foreground(pools);
      return std::forward<F>(act)(*sandbox);
    }();
    core.BeginStartup(*sandbox);
    if (view) view = sandbox->View();
    return view;
  }

  // Others may do what they want with it meanwhile.
  void AwaitStartupEnd(Sandbox& sandbox) {
    if (!CheckCan(Act::kStop, core.engine_is)) return;
    constexpr Millis kLook{200};
    while (const auto left = core.AskStartupToEnd(sandbox)) {
      sandbox.AwaitChange(std::min(*left, kLook));
    }
  }

  static Result<std::unique_ptr<Lease::Hold>> Enter(
      std::shared_ptr<Sandbox> sandbox, Millis patience = engine::Engine::kConnectPatience) {
    TRY(sandbox->Enter(Act::kUse));
    return std::make_unique<Lease::Hold>(std::move(sandbox), patience);
  }

  // The activity of sandboxes is written at least so often, and the clock looked at.
  static constexpr Millis kShortestSweep{10};
  static constexpr Millis kLongestSweep{2000};

  Core core;
  Transitions transitions;
  Snapshots snapshots;
  Visits visits;
  Sweeper sweeper;
  Pools pools;
  Creator creator;
  ReconcileReport report;
  std::mutex adopting;
};

Manager::Manager(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Manager::~Manager() = default;

Result<std::unique_ptr<Manager>> Manager::Open(ManagerOptions options, engine::Engine& engine,
                                               templates::TemplateStore& templates,
                                               store::Store& store, EventLog& events) {
  auto impl = std::make_unique<Impl>(std::move(options), engine, templates, store, events);
  TRY(impl->Begin());
  return std::unique_ptr<Manager>(new Manager(std::move(impl)));
}

const ReconcileReport& Manager::reconciled() const { return impl_->report; }

void Manager::UsePulls(PullKeeper* pulls) { impl_->core.pulls = pulls; }
void Manager::UsePackages(PackageSource* packages) { impl_->core.packages = packages; }

Result<SandboxView> Manager::Create(const Caller& caller, const SandboxSpec& spec,
                                    const Idempotency& idempotency) {
  return impl_->creator.Create(caller, spec, idempotency);
}

Result<SandboxView> Manager::Get(const Caller& caller, std::string_view which) {
  return TRY(impl_->core.Find(caller, which))->View();
}

Result<Page> Manager::List(const Caller& caller, const ListFilter& filter) {
  return ListSandboxes(impl_->core, caller, filter);
}

Result<SandboxView> Manager::Update(const Caller& caller, std::string_view which,
                                    const SandboxChange& change) {
  return impl_->WithEngine(
      caller, which, [&](Sandbox& sandbox) { return impl_->transitions.Update(sandbox, change); });
}

Result<SandboxView> Manager::Extend(const Caller& caller, std::string_view which, Millis by) {
  return impl_->With(caller, which,
                     [&](Sandbox& sandbox) { return impl_->transitions.Extend(sandbox, by); });
}

Result<SandboxView> Manager::Start(const Caller& caller, std::string_view which) {
  return impl_->WithStartup(caller, which,
                            [&](Sandbox& sandbox) { return impl_->transitions.Start(sandbox); });
}

Result<SandboxView> Manager::Stop(const Caller& caller, std::string_view which) {
  TRY(impl_->With(caller, which, [&](Sandbox& sandbox) -> Result<void> {
    impl_->AwaitStartupEnd(sandbox);
    return {};
  }));
  return impl_->WithEngine(caller, which, [&](Sandbox& sandbox) {
    return impl_->transitions.Stop(sandbox, "requested");
  });
}

Result<SandboxView> Manager::Pause(const Caller& caller, std::string_view which) {
  return impl_->WithEngine(caller, which, [&](Sandbox& sandbox) {
    return impl_->transitions.Pause(sandbox, "requested");
  });
}

Result<SandboxView> Manager::Resume(const Caller& caller, std::string_view which) {
  return impl_->WithEngine(caller, which,
                           [&](Sandbox& sandbox) { return impl_->transitions.Resume(sandbox); });
}

Result<SandboxView> Manager::Reset(const Caller& caller, std::string_view which) {
  return impl_->WithStartup(caller, which,
                            [&](Sandbox& sandbox) { return impl_->transitions.Reset(sandbox); });
}

Result<SandboxView> Manager::Restore(const Caller& caller, std::string_view which,
                                     const std::string& snapshot) {
  return impl_->WithStartup(caller, which, [&](Sandbox& sandbox) -> Result<SandboxView> {
    const templates::TemplateInfo info = TRY(impl_->snapshots.Get(caller, snapshot));
    if (info.sandbox != sandbox.id().text()) {
      return Failure(Error(ErrorCode::kInvalidArgument, Fault::kCaller,
                           "snapshot " + info.name + " is of another sandbox: " + info.sandbox)
                         .WithRemedy("create another sandbox, from the template of that name"));
    }
    const templates::Template base = TRY(impl_->core.templates.Find(info.name));
    return impl_->transitions.Reset(sandbox, &base);
  });
}

Result<templates::TemplateInfo> Manager::TakeSnapshot(const Caller& caller, std::string_view which,
                                                      const SnapshotRequest& request) {
  return impl_->WithEngine(
      caller, which, [&](Sandbox& sandbox) { return impl_->snapshots.Take(sandbox, request); });
}

VolumeKeeper& Manager::volumes() { return impl_->core.volumes; }
Result<std::unique_ptr<build::StepNetwork>> Manager::NetworkOfSteps(const Caller& caller,
                                                                    const NetworkSpec& asked) {
  return MakeStepNetwork(*impl_->core.networks, caller.owner, asked,
                         impl_->core.options()->network);
}

Snapshots& Manager::snapshots() { return impl_->snapshots; }

Result<void> Manager::Destroy(const Caller& caller, std::string_view which,
                              const std::string& reason) {
  return impl_->WithEngine(
      caller, which, [&](Sandbox& sandbox) { return impl_->transitions.Destroy(sandbox, reason); });
}

Result<std::vector<Orphan>> Manager::Orphans() { return ListOrphans(impl_->core); }

Result<SandboxView> Manager::Adopt(const Caller& caller, std::string_view id,
                                   const Adoption& adoption) {
  const Pools::Foreground foreground(impl_->pools);
  const std::lock_guard lock(impl_->adopting);
  return AdoptOrphan(impl_->core, caller, id, adoption);
}

Result<engine::Stats> Manager::GetStats(const Caller& caller, std::string_view which) {
  return impl_->With(caller, which, [&](Sandbox& sandbox) -> Result<engine::Stats> {
    TRY(CheckAct(Act::kMeasure, sandbox.id(), sandbox.state()));
    return impl_->core.engine.GetStats(sandbox.id());
  });
}

Result<NetworkReport> Manager::GetNetwork(const Caller& caller, std::string_view which) {
  return impl_->With(caller, which, [&](Sandbox& sandbox) -> Result<NetworkReport> {
    SandboxView view = sandbox.View();
    auto secrets = TRY(impl_->core.secrets.StandingOf(view.owner, view.spec.network.granted));
    return NetworkReport{.state = view.state,
                         .spec = std::move(view.spec.network),
                         .bounds = impl_->core.options()->network.bounds,
                         .standing = impl_->core.networks->Look(sandbox.id()),
                         .peers = impl_->core.networks->PeersOf(sandbox.id()),
                         .published = impl_->core.networks->Published(sandbox.id()),
                         .secrets = std::move(secrets)};
  });
}

Result<NetworkCheck> Manager::CheckNetwork(const Caller& caller, std::string_view which,
                                           const std::string& host, uint16_t port) {
  return impl_->With(caller, which, [&](Sandbox& sandbox) -> Result<NetworkCheck> {
    const SandboxView view = sandbox.View();
    network::Checked checked =
        TRY(impl_->core.networks->Check(sandbox.id(), view.spec.network, host, port));
    return NetworkCheck{.host = host, .port = port, .checked = std::move(checked)};
  });
}

Result<FlowPage> Manager::GetFlows(const Caller& caller, std::string_view which, uint64_t after,
                                   size_t limit) {
  return impl_->With(caller, which, [&](Sandbox& sandbox) -> Result<FlowPage> {
    return impl_->core.networks->FlowsAfter(sandbox.id(), after, limit);
  });
}

Result<FlowPage> Manager::AwaitFlows(const Caller& caller, std::string_view which, uint64_t after,
                                     size_t limit, Millis patience) {
  return impl_->With(caller, which, [&](Sandbox& sandbox) -> Result<FlowPage> {
    return impl_->core.networks->AwaitFlows(sandbox.id(), after, limit, patience);
  });
}

SecretKeeper& Manager::secrets() { return impl_->core.secrets; }

std::optional<uint64_t> Manager::NewestFlow(const SandboxId& id) {
  return impl_->core.networks->NewestFlow(id);
}

DeniedFlows Manager::DeniedAfter(const SandboxId& id, uint64_t flow) {
  return impl_->core.networks->DeniedAfter(id, flow);
}

Result<void> Manager::CheckRoom() const {
  const auto options = impl_->core.options();
  const DiskRoom room = TRY(DiskRoomOf(options->paths.state_dir));
  TRY(CheckHostReserve(room));
  const Bytes disk = options->default_limits.disk;
  const bool on_this_disk = impl_->core.engine_is.can.files_on_state_disk;
  if (!on_this_disk || disk + kHostReserve > room.size) return {};
  return CheckRoomFor(room, disk);
}

std::optional<uint64_t> Manager::OomKills(const SandboxId& id) {
  const auto kills = impl_->core.engine.OomKills(id);
  return kills ? *kills : std::nullopt;
}

namespace {

// Whoever comes while a sandbox is reset waits for its new guest.
void AwaitRenewal(Sandbox& sandbox) {
  if (sandbox.renewing()) const std::lock_guard done(sandbox.transition);
}

}  // namespace

Result<Lease> Manager::Use(const Caller& caller, std::string_view which) {
  auto sandbox = TRY(impl_->core.Find(caller, which));
  AwaitRenewal(*sandbox);
  return Lease(TRY(Impl::Enter(std::move(sandbox))));
}

Result<Lease> Manager::UseFiles(const Caller& caller, std::string_view which) {
  auto sandbox = TRY(impl_->core.Find(caller, which));
  AwaitRenewal(*sandbox);
  const Pools::Foreground foreground(impl_->pools);
  Visits* const visits = TRY(impl_->visits.Enter(*sandbox)) ? &impl_->visits : nullptr;
  return Lease(
      std::make_unique<Lease::Hold>(std::move(sandbox), engine::Engine::kConnectPatience, visits));
}

Result<Lease> Manager::UseForServer(const SandboxId& id, Millis connect_patience) {
  const Caller server{.owner = {}, .admin = true};
  return Lease(TRY(Impl::Enter(TRY(impl_->core.Find(server, id.text())), connect_patience)));
}

void Manager::NoteExecution(const SandboxId& id, int running_delta, bool begins) {
  if (const auto sandbox = impl_->core.registry.Find(id.text()))
    sandbox->NoteExecution(running_delta, begins);
}

void Manager::OnGuestBegun(std::function<void(const SandboxId&)> callback) {
  impl_->core.OnGuestBegun(std::move(callback));
}

bool Manager::TakeStartup(const SandboxId& id) {
  const auto sandbox = impl_->core.registry.Find(id.text());
  return sandbox && sandbox->TakeStartup();
}

void Manager::NoteStartup(const SandboxId& id, int64_t started_unix_ms, const StartupBegin& begin) {
  const auto sandbox = impl_->core.registry.Find(id.text());
  if (!sandbox) return;
  const auto lock = LockTransition(*sandbox);
  if (!lock) return;
  const SandboxView view = sandbox->View();
  if (!view.startup || view.started_unix_ms != started_unix_ms ||
      view.startup->state != StartupState::kStarting) {
    return;
  }
  const bool failed = begin.process == 0;
  const auto change = [&](SandboxRecord& record) {
    Startup& startup = *record.view.startup;
    startup.state = failed ? StartupState::kFailed : StartupState::kRunning;
    startup.process = begin.process;
    startup.guest_process = begin.guest_process;
    startup.started_unix_ms = begin.unix_ms;
    startup.reason = begin.reason;
    if (failed) record.view.health.reset();
  };
  const std::string data = failed ? "" : "{\"process_id\":" + std::to_string(begin.process) + "}";
  const auto done = impl_->core.Commit(
      *sandbox, change, failed ? "sandbox.startup_failed" : "sandbox.startup_started",
      failed ? begin.reason : "requested", data);
  if (done) return;
  // It is so all the same; the next server looks for it among what runs.
  LogWarning("sandbox " + id.text() + ", its start-up process: " + done.error().ToString());
  sandbox->Change(change);
}

void Manager::NoteProcessEnd(const SandboxId& id, const StartupEnd& end) {
  if (const auto sandbox = impl_->core.registry.Find(id.text())) sandbox->NoteProcessEnd(end);
}

void Manager::NoteHealth(const SandboxId& id, int64_t started_unix_ms, const CheckReport& report) {
  const auto sandbox = impl_->core.registry.Find(id.text());
  if (!sandbox || !sandbox->SetHealth(started_unix_ms, report)) return;
  impl_->core.events.Append(
      {.type = "sandbox.health",
       .sandbox = id.text(),
       .owner = sandbox->owner(),
       .reason = std::string(CheckStatusName(report.status)),
       .data = "{\"failing_streak\":" + std::to_string(report.failing_streak) + "}"});
}

Result<Lease> Manager::UseQuietly(const SandboxId& id) {
  auto sandbox = impl_->core.registry.Find(id.text());
  if (!sandbox) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no sandbox " + id.text()));
  }
  TRY(sandbox->EnterQuietly(Act::kUse));
  auto hold = std::make_unique<Lease::Hold>(std::move(sandbox), Millis(0));
  hold->is_quiet = true;
  return Lease(std::move(hold));
}

void Manager::OnGuestGone(GuestGone callback) { impl_->core.OnGuestGone(std::move(callback)); }

std::vector<SandboxId> Manager::Running() {
  std::vector<SandboxId> running;
  for (const auto& sandbox : impl_->core.registry.All()) {
    const SandboxState state = sandbox->state();
    if (state == SandboxState::kRunning || state == SandboxState::kPaused)
      running.push_back(sandbox->id());
  }
  return running;
}

void Manager::Reconfigure(const ManagerOptions& options) {
  impl_->core.SetOptions(options);
  impl_->pools.Configure(options.pools);
}

std::shared_ptr<const ManagerOptions> Manager::options() const { return impl_->core.options(); }

ManagerMetrics Manager::Metrics() {
  ManagerMetrics metrics = impl_->core.metrics.Take();
  for (const auto& sandbox : impl_->core.registry.All())
    ++metrics.by_state[static_cast<size_t>(sandbox->state())];
  metrics.pools = impl_->pools.Status();
  metrics.network = impl_->core.networks->Metrics();
  return metrics;
}

void Manager::Drain(Millis patience) {
  impl_->creator.Drain(patience);
  impl_->pools.Drain();
}

}  // namespace cay::sandbox
