#include "sandbox/lifecycle/core.h"

#include <cerrno>
#include <chrono>

#include "base/clock.h"
#include "base/os/disk_room.h"
#include "base/os/log.h"
#include "sandbox/records/sandbox_json.h"
#include "sandbox/records/sandbox_table.h"
#include "template/space/make_room.h"

namespace cay::sandbox {

using store::Database;

Core::Core(ManagerOptions options, engine::Engine& an_engine,
           templates::TemplateStore& template_store, store::Store& a_store, EventLog& event_log)
    : engine(an_engine),
      engine_is(FactsOf(an_engine)),
      store(a_store),
      events(event_log),
      templates(template_store),
      admission(RulesOf(options, engine_is.can)),
      metrics(engine_is.description.stages),
      secrets(options.paths.state_dir),
      volumes(
          options.paths, an_engine,
          [this] {
            const auto now = this->options();
            return VolumeBounds{.count = now->max_volumes_per_owner,
                                .bytes = now->max_volume_bytes_per_owner};
          },
          [this] { return cay::templates::MakeRoom(templates.store(), 0); }),
      networks(std::make_unique<NetworkKeeper>(
          an_engine, event_log, secrets, options.network,
          RelaysOf(options.paths.state_dir, options.network.cache > 0))),
      promised_to_(std::make_shared<PromisedTo>(an_engine)),
      options_(std::move(options)) {}

Core::~Core() {
  const std::lock_guard lock(promised_to_->mutex);
  promised_to_->engine = nullptr;
}

namespace {

// The disk limits that may be promised together.
Bytes DiskBound(const ManagerOptions& options, const engine::Capabilities& can) {
  if (options.disk_committed == 0 || !can.files_on_state_disk) return 0;
  const auto room = DiskRoomOf(options.paths.state_dir);
  return room ? room->size / 1000 * options.disk_committed : 0;
}

// An administrator who says a name means one's own first; the others of that name are one word
// away.
Remedy RemedyForName(const Core& core, const Caller& caller, std::string_view which) {
  constexpr size_t kMostNamed = 3;
  Remedy owned;
  if (caller.admin) {
    for (const std::string& owner : core.registry.OwnersOfName(which, kMostNamed)) {
      owned = owned + (owned.empty() ? "other owners have a sandbox of that name: " : ", ") +
              Remedy(Action::kUse, owner + "/" + std::string(which));
    }
  }
  return owned.empty() ? "list the sandboxes: " + Remedy(Action::kList) : owned;
}

}  // namespace

AdmissionRules RulesOf(const ManagerOptions& options, const engine::Capabilities& can) {
  return {.max_sandboxes = options.max_sandboxes,
          .max_per_owner = options.max_sandboxes_per_owner,
          .max_memory = options.max_memory,
          .max_disk = DiskBound(options, can)};
}

Holding HoldingOf(const SandboxView& view) {
  const bool runs = view.state == SandboxState::kCreating || view.state == SandboxState::kRunning ||
                    view.state == SandboxState::kPaused;
  return {.memory = runs ? view.limits.memory : 0, .disk = view.limits.disk};
}

Holding HoldingOf(const engine::Limits& limits) {
  return {.memory = limits.memory, .disk = limits.disk};
}

std::shared_ptr<const ManagerOptions> Core::options() const { return options_.Get(); }

void Core::SetOptions(const ManagerOptions& options) {
  admission.SetRules(RulesOf(options, engine_is.can));
  networks->Reconfigure(options.network);
  options_.Set(options);
}

Result<std::shared_ptr<Sandbox>> Core::Find(const Caller& caller, std::string_view which) {
  if (auto found = registry.Find(caller, which)) return found;
  const QualifiedName called = Qualify(caller, which);
  std::optional<DestroyedSandbox> destroyed;
  TRY(store.Read([&](Database& db) -> Result<void> {
    destroyed = TRY(FindDestroyed(db, which, called));
    return {};
  }));
  const std::string name(which.substr(0, 160));
  if (!destroyed || (!caller.admin && destroyed->owner != caller.owner)) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no sandbox " + name)
                       .WithRemedy(RemedyForName(*this, caller, which)));
  }
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "sandbox " + name + " was destroyed at " +
                           FormatTimestamp(destroyed->destroyed_unix_ms) + ": " + destroyed->reason)
                     .WithRemedy("create another: " + Remedy(Action::kCreate)));
}

Result<void> Core::CommitBy(Write write, Sandbox& sandbox, const Change& change, Event event) {
  SandboxRecord next = sandbox.Record();
  change(next);
  event.sandbox = sandbox.id().text();
  event.owner = sandbox.owner();
  const Event reserved = events.Reserve(std::move(event));
  const auto done = (store.*write)([&](Database& db) -> Result<void> {
    TRY(SaveSandbox(db, next));
    return EventLog::Insert(db, reserved);
  });
  if (!done) {
    events.Withdraw(reserved);
    return done;
  }
  sandbox.Change(change);
  events.Publish(reserved);
  return {};
}

Result<void> Core::Commit(Sandbox& sandbox, const Change& change, const std::string& type,
                          const std::string& reason, std::string data) {
  return CommitBy(&store::Store::Write, sandbox, change,
                  {.type = type, .reason = reason, .data = std::move(data)});
}

Result<void> Core::CommitUrgently(Sandbox& sandbox, const Change& change, const std::string& type,
                                  const std::string& reason) {
  return CommitBy(&store::Store::WriteUrgently, sandbox, change, {.type = type, .reason = reason});
}

void Core::CommitFact(Sandbox& sandbox, const Change& change, const std::string& type,
                      const std::string& reason) {
  const auto done = CommitUrgently(sandbox, change, type, reason);
  if (done) return;
  LogError("sandbox " + sandbox.id().text() + ", " + type + ": " + done.error().ToString());
  sandbox.Change(change);
}

void Core::KeepPromise(const SandboxRecord& record) {
  // The text of it is made by the store's thread, too: nobody waits for that either.
  auto kept_record = std::make_shared<const SandboxRecord>(record);
  store.WriteLater([to = promised_to_, said = std::move(kept_record)](Database&) -> Result<void> {
    const std::lock_guard lock(to->mutex);
    if (to->engine == nullptr) return {};
    const SandboxId& id = said->view.id;
    const auto kept = to->engine->Promise(id, PromiseOf(*said));
    const bool gone = !kept && kept.error().sys_errno() == ENOENT;  // destroyed meanwhile
    if (!kept && !gone) LogWarning("sandbox " + id.text() + ": " + kept.error().ToString());
    return {};
  });
}

Result<void> Core::GiveTrust(Sandbox& sandbox, const NetworkSpec& spec, Millis patience) {
  if (!networks->Intercepts(spec)) return {};
  const GuestChannel guest([&] { return engine.Connect(sandbox.id(), patience); }, patience,
                           sandbox.guest_protocol());
  std::string given = TRY(secrets.Install(guest, sandbox.View().spec.read_only));
  sandbox.Change([&](SandboxRecord& record) { record.trust = std::move(given); });
  return {};
}

Result<void> Core::WatchGuest(Sandbox& sandbox, Fd guest) {
  TRY(watch->Add(sandbox.id(), guest));
  sandbox.SetGuest(std::move(guest));
  return {};
}

Result<void> Core::WatchGuest(Sandbox& sandbox) {
  return WatchGuest(sandbox, TRY(engine.Watch(sandbox.id())));
}

void Core::UnwatchGuest(Sandbox& sandbox) {
  watch->Remove(sandbox.id());
  sandbox.SetGuest(std::nullopt);
}

void Core::SetTimer(const Sandbox& sandbox) {
  if (const auto next = NextLook(sandbox.TimesNow(), UnixMs())) timer->Earlier(sandbox.id(), *next);
}

void Core::OnGuestBegun(GuestBegun callback) {
  const std::lock_guard lock(callbacks_mutex_);
  begun_ = std::move(callback);
}

void Core::BeginStartup(Sandbox& sandbox) {
  GuestBegun begun;
  {
    const std::lock_guard lock(callbacks_mutex_);
    begun = begun_;
  }
  if (begun && sandbox.TakeStartup()) begun(sandbox.id());
}

std::optional<Millis> Core::AskStartupToEnd(Sandbox& sandbox) {
  constexpr Millis kPatience{1000};
  const SandboxView view = sandbox.View();
  const auto& startup = view.startup;
  const bool runs = view.state == SandboxState::kRunning && startup &&
                    startup->state == StartupState::kRunning && !sandbox.GuestIsGone();
  const Millis grace = options()->stop_grace;
  if (!runs || grace <= Millis(0)) return std::nullopt;
  if (sandbox.BeginQuit(startup->process, SteadyNow() + grace)) {
    const GuestChannel guest([&] { return engine.Connect(sandbox.id(), kPatience); }, kPatience,
                             sandbox.guest_protocol());
    const auto asked = guest.Signal({.process = startup->guest_process,
                                     .signal = startup->plan.stop_signal,
                                     .target = protocol::SignalTarget::kLeader});
    if (!asked) {
      LogWarning("sandbox " + sandbox.id().text() +
                 ": its start-up process could not be asked to end: " + asked.error().ToString());
    }
  }
  const auto left = std::chrono::ceil<Millis>(sandbox.quit_until() - SteadyNow());
  return left > Millis(0) ? std::optional(left) : std::nullopt;
}

void Core::OnGuestGone(GuestGone callback) {
  const std::lock_guard lock(callbacks_mutex_);
  callbacks_.push_back(std::move(callback));
}

void Core::SayGone(const SandboxId& id, const GuestEnd& end) {
  std::vector<GuestGone> callbacks;
  {
    const std::lock_guard lock(callbacks_mutex_);
    callbacks = callbacks_;
  }
  for (const auto& callback : callbacks) callback(id, end);
}

Result<std::unique_lock<std::mutex>> LockTransition(Sandbox& sandbox) {
  std::unique_lock lock(sandbox.transition);
  if (sandbox.state() != SandboxState::kDestroyed) return lock;
  return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                       "sandbox " + sandbox.id().text() + " has just been destroyed"));
}

}  // namespace cay::sandbox
