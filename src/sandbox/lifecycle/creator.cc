#include "sandbox/lifecycle/creator.h"

#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.h"
#include "base/os/disk_room.h"
#include "base/os/log.h"
#include "crypto/digest.h"
#include "sandbox/lifecycle/snapshots.h"
#include "sandbox/lifecycle/try_again.h"
#include "sandbox/projects/project_files.h"
#include "sandbox/records/sandbox_json.h"
#include "sandbox/records/sandbox_table.h"
#include "sandbox/startup/rules/startup_rules.h"
#include "template/store/template_name.h"

namespace cay::sandbox {
namespace {

using store::Database;

constexpr const char* kProjectFiles = "/workspace/project_files";

// Whom it is for: the template says who, where nobody was asked for.
uint32_t OwnerOf(const SandboxSpec& spec, const templates::Template& base) {
  return engine::OwnerFor(spec.user.empty() ? base.user : spec.user);
}

// A pool's members are alike: what the engine would have to make differently is not theirs.
bool CanComeFromPool(const SandboxSpec& spec, const templates::Template& base) {
  return spec.mounts.empty() && spec.tmpfs.empty() && spec.volumes.empty() && !spec.noexec &&
         !spec.read_only && spec.privileges == Privileges::kNone && spec.hostname.empty() &&
         spec.project.empty() && spec.packages.none() &&
         OwnerOf(spec, base) == engine::CreateRequest::kUsualOwner;
}

// The engine follows no symlinks; the state directory's path may have some.
Result<std::string> RealPath(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return Failure(Error::FromErrno(path));
  std::string text(real);
  ::free(real);
  return text;
}

bool EnforcesRequired(const engine::Created& created, const ResolvedSpec& resolved) {
  if (resolved.spec.best_effort) return true;
  for (const engine::NotEnforced& one : created.not_enforced)
    if (resolved.required.Contains(one.limit)) return false;
  return true;
}

// Before a digest of what the client sent. A row without this mark is of a program before 0.1.0,
// which digested the spec.
constexpr std::string_view kSentMark = "sent ";

Result<std::string> DigestOfAsked(const std::string& asked) {
  return std::string(kSentMark) + TRY(Sha256Hex(asked));
}

Result<bool> IsSameCreate(const IdempotentCreate& before, const std::string& digest,
                          const SandboxSpec& spec) {
  if (before.digest.starts_with(kSentMark)) return before.digest == digest;
  return before.digest == TRY(Sha256Hex(LegacySpecText(spec)));
}

}  // namespace

class Creator::Turn {
 public:
  static Result<Turn> Take(Creator& creator, Key key) {
    const size_t most = creator.core_.options()->max_creating;
    std::unique_lock lock(creator.mutex_);
    if (!key.second.empty())
      creator.ended_.wait(lock, [&] { return !creator.keys_.contains(key); });
    if (creator.draining_) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down")
                         .WithRemedy("try again when it has started anew"));
    }
    if (creator.under_way_ >= most) {
      return Failure(
          Error(ErrorCode::kUnavailable, Fault::kMachine,
                std::to_string(most) + " creates are waiting already, which is the maximum")
              .WithRemedy("try again in a moment, or raise limits.creating in the "
                          "configuration"));
    }
    ++creator.under_way_;
    if (!key.second.empty()) creator.keys_.insert(key);
    return Turn(creator, std::move(key));
  }
  Turn(Turn&& other) noexcept
      : creator_(std::exchange(other.creator_, nullptr)), key_(std::move(other.key_)) {}
  Turn& operator=(Turn&&) = delete;
  ~Turn() {
    if (creator_ == nullptr) return;
    {
      const std::lock_guard lock(creator_->mutex_);
      --creator_->under_way_;
      creator_->keys_.erase(key_);
    }
    creator_->ended_.notify_all();
  }

 private:
  Turn(Creator& creator, Key key) : creator_(&creator), key_(std::move(key)) {}
  Creator* creator_;
  Key key_;
};

class Creator::Making {
 public:
  Making(Core& core, const Caller& caller, ResolvedSpec resolved, templates::Template base,
         std::optional<StartupPlan> startup, SandboxId id)
      : core_(core),
        caller_(caller),
        resolved_(std::move(resolved)),
        base_(std::move(base)),
        startup_(std::move(startup)),
        id_(std::move(id)) {}
  Making(const Making&) = delete;
  Making& operator=(const Making&) = delete;

  ~Making() {
    if (kept_) return;
    if (sandbox_) core_.registry.Remove(*sandbox_, resolved_.spec.name);
    if (made_) {
      core_.networks->Forget(id_);
      const auto destroyed = core_.engine.Destroy(id_);
      if (!destroyed && destroyed.error().code() != ErrorCode::kNotFound)
        LogWarning("undoing a create: " + destroyed.error().ToString());
    }
    if (admitted_) core_.admission.Release(caller_.owner, holding());
  }

  const Caller& caller() const { return caller_; }
  const ResolvedSpec& resolved() const { return resolved_; }
  const templates::Template& base() const { return base_; }
  Holding holding() const { return HoldingOf(resolved_.limits); }
  const SandboxId& id() const { return id_; }
  Sandbox& sandbox() { return *sandbox_; }

  void NoteAdmitted() { admitted_ = true; }
  void NoteMade(SandboxId id, engine::Created created, bool from_pool) {
    made_ = true;
    id_ = std::move(id);
    created_ = std::move(created);
    from_pool_ = from_pool;
  }
  // Nothing: it was not made with it.
  Result<std::optional<MadeNetwork>> TakeNetwork() {
    if (!created_.network) return std::nullopt;
    MadeNetwork made{.sockets = *std::exchange(created_.network, std::nullopt), .guest = {}};
    if (created_.guest) made.guest = TRY(created_.guest->Duplicate());
    return made;
  }
  // The rules, with the ports that were chosen.
  void NotePublished(std::vector<std::string> rules) {
    resolved_.spec.network.publish = std::move(rules);
  }
  void Keep() { kept_ = true; }

  // Others see it from here on, as one that is being created.
  Result<void> Show() {
    auto sandbox = std::make_shared<Sandbox>(core_.engine, Record(SandboxState::kCreating));
    TRY(core_.registry.CheckIsNoId(resolved_.spec.name));
    TRY(core_.registry.Insert(sandbox, resolved_.spec.name));
    sandbox_ = std::move(sandbox);
    return {};
  }

  SandboxRecord Record(SandboxState state) const {
    SandboxRecord record(id_);
    SandboxView& view = record.view;
    view.state = state;
    view.reason = state == SandboxState::kCreating ? "requested" : "created";
    view.owner = caller_.owner;
    view.spec = resolved_.spec;
    view.limits = resolved_.limits;
    view.created_unix_ms = created_unix_ms_;
    view.started_unix_ms = view.last_activity_unix_ms = UnixMs();
    if (const Millis life = *view.spec.timeout; life > Millis(0))
      view.expires_unix_ms = view.created_unix_ms + life.count();
    view.not_enforced = created_.not_enforced;
    view.from_pool = from_pool_;
    const bool was_timed = made_ && !from_pool_;
    view.stage_us =
        was_timed ? created_.stage_us : engine::NoStageTimes(core_.engine_is.description);
    view.create_us = elapsed_us();
    record.template_env = base_.env;
    for (const std::string_view name : protocol::kAccountVariables) {
      const auto& own = base_.own_variables;
      if (std::ranges::find(own, name) != own.end()) record.own_variables.emplace_back(name);
    }
    if (startup_) {
      view.startup.emplace().plan = *startup_;
      if (startup_->check) view.health.emplace();
    }
    record.user = view.spec.user.empty() ? base_.user : view.spec.user;
    record.workdir = view.spec.workdir.empty() ? base_.workdir : view.spec.workdir;
    if (sandbox_) record.trust = sandbox_->Record().trust;
    return record;
  }

  void NoteGuestProtocol() { sandbox_->SetGuestProtocol(created_.guest_protocol); }

  Result<void> WatchGuest() {
    NoteGuestProtocol();
    return core_.WatchGuest(*sandbox_, *std::exchange(created_.guest, std::nullopt));
  }

  uint64_t elapsed_us() const {
    const auto spent = SteadyNow() - begun_;
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(spent).count());
  }

 private:
  Core& core_;
  const Caller& caller_;
  ResolvedSpec resolved_;
  templates::Template base_;
  std::optional<StartupPlan> startup_;
  SandboxId id_;
  std::chrono::steady_clock::time_point begun_ = SteadyNow();
  int64_t created_unix_ms_ = UnixMs();
  bool admitted_ = false;
  bool made_ = false;
  bool kept_ = false;
  bool from_pool_ = false;
  engine::Created created_;
  std::shared_ptr<Sandbox> sandbox_;
};

// Of a key whose sandbox is gone: nothing is missing, and the same request will not help.
Error UsedUp(const Error& gone) {
  if (gone.code() != ErrorCode::kNotFound) return gone;
  return Error(ErrorCode::kIllegalState, Fault::kCaller,
               "the sandbox of this idempotency key is gone: " + gone.message())
      .WithRemedy("use a new key to create another");
}

Result<std::optional<IdempotentCreate>> Creator::FindBefore(const Caller& caller,
                                                            const std::string& key) {
  std::optional<IdempotentCreate> before;
  TRY(core_.store.Read([&](Database& db) -> Result<void> {
    before = TRY(FindIdempotentCreate(db, caller.owner, key, UnixMs()));
    return {};
  }));
  return before;
}

Result<SandboxView> Creator::Create(const Caller& caller, const SandboxSpec& spec,
                                    const Idempotency& idempotency) {
  const std::string& key = idempotency.key;
  TRY(CheckIdempotencyKey(key));
  auto turn = Turn::Take(*this, {caller.owner, key});
  Result<SandboxView> view = [&]() -> Result<SandboxView> {
    if (!turn) return Failure(turn.error());
    if (key.empty()) return CreateNew(caller, spec, {}, {});
    const std::string digest = TRY(DigestOfAsked(idempotency.asked));
    const std::optional<IdempotentCreate> before = TRY(FindBefore(caller, key));
    if (!before) return CreateNew(caller, spec, key, digest);
    if (TRY(IsSameCreate(*before, digest, spec))) {
      const auto made = core_.Find(caller, before->sandbox);
      if (!made) return Failure(UsedUp(made.error()));
      return (*made)->View();
    }
    return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                         "this idempotency key was used for another create, that of sandbox " +
                             before->sandbox)
                       .WithRemedy("use a new key for each sandbox"));
  }();
  if (!view) core_.metrics.Count([](ManagerMetrics& metrics) { ++metrics.refused; });
  return view;
}

Result<SandboxView> Creator::CreateNew(const Caller& caller, const SandboxSpec& spec,
                                       const std::string& idempotency_key,
                                       const std::string& digest) {
  const auto options = core_.options();
  templates::Template base = TRY(FindTemplate(caller, spec, *options));
  const Pools::Foreground foreground(pools_);
  // However it was spelled: what the administrator says of a template is said of its own name.
  SandboxSpec named = spec;
  named.template_name = base.name;
  base = TRY(AddPackages(caller, std::move(base), named, *options));
  ResolvedSpec resolved = TRY(ResolveSpec(named, *options));
  TRY(CheckCan(resolved.spec, core_.engine_is));
  TRY(core_.secrets.Grant(caller.owner, options->network.bounds, resolved.spec.env, {},
                          resolved.spec.network));
  auto startup = TRY(PlanStartup(resolved.spec, base.name, base.process.get()));
  Making making(core_, caller, std::move(resolved), std::move(base), std::move(startup),
                TRY(SandboxId::Generate()));
  TRY(Obtain(making));
  TRY(OpenNetwork(making));
  TRY(Promise(making, idempotency_key, digest));
  core_.BeginStartup(making.sandbox());
  SandboxView view = making.sandbox().View();
  core_.SetTimer(making.sandbox());
  core_.metrics.Count([&](ManagerMetrics& metrics) {
    ++metrics.created;
    Observe(view.from_pool ? metrics.create_pooled : metrics.create_cold, view.create_us);
    if (view.from_pool) return;
    ObserveStages(metrics.stages, view.stage_us);
  });
  return view;
}

Result<templates::Template> Creator::FindTemplate(const Caller& caller, const SandboxSpec& spec,
                                                  const ManagerOptions& options) {
  const std::string name =
      spec.template_name.empty()
          ? options.default_template
          : TRY(TemplateNameFor(core_.templates.store(), caller, spec.template_name));
  PullKeeper* const pulls = core_.pulls;
  if (pulls != nullptr && pulls->IsWanted(name)) {
    // Nothing is fetched for a sandbox that would be refused.
    SandboxSpec named = spec;
    named.template_name = TRY(templates::NormalTemplateName(name));
    TRY(CheckWouldBeMade(caller, named, options));
    TRY(pulls->Obtain(caller, name));
  }
  return core_.templates.Find(name);
}

Result<void> Creator::CheckWouldBeMade(const Caller& caller, const SandboxSpec& named,
                                       const ManagerOptions& options) {
  const ResolvedSpec resolved = TRY(ResolveSpec(named, options));
  TRY(CheckCan(resolved.spec, core_.engine_is));
  TRY(core_.admission.Claim(caller.owner, caller.max_sandboxes));
  core_.admission.Unclaim(caller.owner);
  return {};
}

// What is said of the base, is said of it with packages: it keeps the name.
Result<templates::Template> Creator::AddPackages(const Caller& caller, templates::Template base,
                                                 SandboxSpec& named,
                                                 const ManagerOptions& options) {
  if (named.packages.none()) return base;
  PackageSource* const source = core_.packages;
  if (source == nullptr) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "this server installs no packages in templates"));
  }
  TRY(CheckWouldBeMade(caller, named, options));
  templates::Template with = TRY(source->WithPackages(caller, base, named.packages));
  with.name = base.name;
  return with;
}

Result<void> Creator::Obtain(Making& making) {
  if (TRY(ObtainFromPool(making))) return {};
  return ObtainFromEngine(making);
}

Result<bool> Creator::ObtainFromPool(Making& making) {
  if (!CanComeFromPool(making.resolved().spec, making.base())) return false;
  // What was made ahead may have been made when there was room. Without a pool the engine says how
  // much there is.
  const auto room = DiskRoomOf(core_.options()->paths.state_dir);
  if (room && room->free < making.resolved().limits.disk + kHostReserve) return false;
  TRY(core_.admission.Claim(making.caller().owner, making.caller().max_sandboxes));
  auto member = pools_.Claim(making.base(), making.resolved().limits);
  if (!member) {
    core_.admission.Unclaim(making.caller().owner);
    return false;
  }
  making.NoteAdmitted();
  const bool enforces = EnforcesRequired(member->created, making.resolved());
  making.NoteMade(std::move(member->id), std::move(member->created), true);
  if (!enforces) {
    return Failure(
        Error(ErrorCode::kNotEnforceable, Fault::kCaller,
              "a limit that was asked for cannot be enforced here")
            .WithRemedy("see cay doctor, or accept it: " + Remedy(Action::kAcceptWeaker)));
  }
  TRY(making.Show());
  return true;
}

Result<void> Creator::AdmitCold(const Making& making) {
  const auto admit = [&] {
    return core_.admission.Admit(making.caller().owner, making.caller().max_sandboxes,
                                 making.holding());
  };
  auto admitted = admit();
  // What was made for nobody yet gives way to somebody.
  while (!admitted && admitted.error().fault() == Fault::kMachine && pools_.EvictOne())
    admitted = admit();
  return admitted;
}

// Not one of the client's mounts, and so not in its spec.
Result<engine::Mount> Creator::ProjectMount(const Making& making) const {
  const std::string directory = TRY(ProjectFiles::Directory(
      core_.options()->paths, making.caller().owner, making.resolved().spec.project));
  return engine::Mount{TRY(RealPath(directory)), kProjectFiles, true};
}

Result<void> Creator::ObtainFromEngine(Making& making) {
  TRY(AdmitCold(making));
  making.NoteAdmitted();
  TRY(making.Show());
  const SandboxSpec& spec = making.resolved().spec;
  engine::CreateRequest request(making.id(), making.base().root);
  request.limits = making.resolved().limits;
  request.required = making.resolved().required;
  request.best_effort = spec.best_effort;
  if (!spec.hostname.empty()) request.hostname = spec.hostname;
  request.owner = OwnerOf(spec, making.base());
  request.mounts = spec.mounts;
  if (!spec.project.empty()) request.mounts.push_back(TRY(ProjectMount(making)));
  request.tmpfs = spec.tmpfs;
  request.volumes = TRY(core_.volumes.Resolve(making.caller().owner, spec.volumes));
  request.noexec = spec.noexec;
  request.read_only = spec.read_only;
  request.privileges = spec.privileges;
  request.network = !spec.network.none();
  request.lifetime = engine::Lifetime::kPersistent;
  request.label = std::string(kServerLabel) + making.base().name;
  auto created = TRY(TwiceIfItMayHelp([&] { return core_.engine.Create(request); }));
  making.NoteMade(making.id(), std::move(created), false);
  return {};
}

Result<void> Creator::OpenNetwork(Making& making) {
  const std::lock_guard lock(making.sandbox().transition);
  const SandboxSpec& spec = making.resolved().spec;
  const std::string& owner = making.caller().owner;
  making.NotePublished(TRY(core_.networks->Settle(making.id(), owner, spec.name, spec.network)));
  making.NoteGuestProtocol();
  TRY(core_.GiveTrust(making.sandbox(), spec.network));
  return core_.networks->Open(making.id(), owner, spec.network, TRY(making.TakeNetwork()));
}

Result<void> Creator::Promise(Making& making, const std::string& idempotency_key,
                              const std::string& digest) {
  Sandbox& sandbox = making.sandbox();
  const std::unique_lock lock(sandbox.transition);
  const SandboxRecord record = making.Record(SandboxState::kRunning);
  const std::string pooled = record.view.from_pool ? "true" : "false";
  const Event event =
      core_.events.Reserve({.type = "sandbox.created",
                            .sandbox = sandbox.id().text(),
                            .owner = sandbox.owner(),
                            .reason = "requested",
                            .data = R"({"from_pool":)" + pooled + R"(,"create_us":)" +
                                    std::to_string(record.view.create_us) + "}"});
  auto done = core_.store.Write([&](Database& db) -> Result<void> {
    TRY(SaveSandbox(db, record));
    if (!idempotency_key.empty()) {
      TRY(SaveIdempotentCreate(db, {.owner = sandbox.owner(),
                                    .key = idempotency_key,
                                    .digest = digest,
                                    .sandbox = sandbox.id().text(),
                                    .unix_ms = record.view.created_unix_ms}));
    }
    return EventLog::Insert(db, event);
  });
  if (!done) {
    core_.events.Withdraw(event);
    return done;
  }
  making.Keep();
  core_.KeepPromise(record);
  sandbox.Change([&](SandboxRecord& live) { live = record; });
  core_.events.Publish(event);
  // From here on it is promised. One that cannot be watched is seen to be gone by who uses it.
  if (const auto watched = making.WatchGuest(); !watched)
    LogWarning("sandbox " + sandbox.id().text() + ": " + watched.error().ToString());
  return {};
}

void Creator::Drain(Millis patience) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  ended_.wait_for(lock, patience, [&] { return under_way_ == 0; });
}

}  // namespace cay::sandbox
