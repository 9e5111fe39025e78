#include "sandbox/lifecycle/orphans.h"

#include <algorithm>

#include "base/clock.h"
#include "base/os/log.h"
#include "sandbox/records/sandbox_json.h"
#include "sandbox/records/sandbox_table.h"
#include "sandbox/rules/spec_rules.h"

namespace cay::sandbox {
namespace {

using store::Database;

std::string TemplateNameOf(const engine::SandboxStatus& status) {
  const std::string_view label = status.label;
  return std::string(label.starts_with(kServerLabel) ? label.substr(kServerLabel.size()) : label);
}

SandboxState StateOf(engine::State state) {
  switch (state) {
    case engine::State::kRunning:
      return SandboxState::kRunning;
    case engine::State::kPaused:
      return SandboxState::kPaused;
    case engine::State::kStopped:
      return SandboxState::kStopped;
    case engine::State::kFailed:
      break;
  }
  return SandboxState::kFailed;
}

// As it says itself; where it says nothing, as its template and the engine have it.
SandboxRecord RecordOf(Core& core, const engine::SandboxStatus& status) {
  SandboxRecord record(status.id);
  const auto promise = core.engine.ReadPromise(status.id);
  const auto read = promise ? ReadPromise(*promise, record) : Failure(promise.error());
  if (!read) {
    if (read.error().code() != ErrorCode::kNotFound) LogWarning(read.error().ToString());
    record = SandboxRecord(status.id);
    record.view.spec.template_name = TemplateNameOf(status);
    if (const auto base = core.templates.Find(record.view.spec.template_name)) {
      record.template_env = base->env;
      record.own_variables = base->own_variables;
      record.user = base->user;
      record.workdir = base->workdir;
    }
  }
  record.view.limits = status.limits;
  record.view.created_unix_ms = status.created_unix_ms;
  return record;
}

class Adopter {
 public:
  Adopter(Core& core, const Caller& caller, const engine::SandboxStatus& status,
          const Adoption& adoption)
      : core_(core), status_(status), record_(RecordOf(core, status)) {
    SandboxView& view = record_.view;
    const std::string before = view.owner;
    if (adoption.owner) view.owner = *adoption.owner;
    if (view.owner.empty()) view.owner = caller.owner;
    // Names of secrets are an owner's: under another they would be those of somebody else.
    if (view.owner != before) {
      view.spec.network.secrets.clear();
      view.spec.network.granted.clear();
    }
    if (adoption.name) view.spec.name = *adoption.name;
    // Its processes are those of another database.
    if (view.startup) {
      view.startup->state = StartupState::kLost;
      view.startup->reason = "adopted: what became of it is not known";
      view.health.reset();
    }
    view.state = SandboxState::kCreating;
    view.reason = "adopted";
    view.started_unix_ms = view.last_activity_unix_ms = UnixMs();
    const auto options = core.options();
    if (!view.spec.timeout) view.spec.timeout = options->default_timeout;
    if (!view.spec.idle_timeout) view.spec.idle_timeout = options->default_idle_timeout;
    if (view.spec.timeout->count() > 0)
      view.expires_unix_ms = view.started_unix_ms + view.spec.timeout->count();
  }

  Result<SandboxView> Run() {
    TRY(CheckSandboxName(record_.view.spec.name));
    TRY(core_.registry.CheckIsNoId(record_.view.spec.name));
    auto sandbox = std::make_shared<Sandbox>(core_.engine, record_);
    const std::unique_lock lock(sandbox->transition);
    TRY(core_.registry.Insert(sandbox, record_.view.spec.name));
    auto adopted = core_.engine.Adopt(status_.id);
    if (adopted) adopted = Promise(*sandbox);
    if (!adopted) {
      (void)core_.engine.Disown(status_.id);
      core_.registry.Remove(*sandbox, record_.view.spec.name);
      return Failure(adopted.error());
    }
    core_.admission.Adopt(record_.view.owner, HoldingOf(record_.view));
    core_.networks->Resettle(status_.id, record_.view.owner, record_.view.spec.name,
                             record_.view.spec.network);
    core_.KeepPromise(record_);
    core_.SetTimer(*sandbox);
    return sandbox->View();
  }

 private:
  // The engine has it: what it is, and the row that says so.
  Result<void> Promise(Sandbox& sandbox) {
    record_.view.state = StateOf(status_.state);
    sandbox.SetGuestProtocol(status_.guest_protocol);
    auto guest = core_.engine.Watch(status_.id);
    if (!guest && record_.view.state != SandboxState::kStopped) {
      if (guest.error().code() != ErrorCode::kIllegalState) return Failure(guest.error());
      record_.view.state = SandboxState::kFailed;
      record_.view.reason = "adopted; its guest had ended";
    }
    TRY(Write());
    sandbox.Change([&](SandboxRecord& live) { live = record_; });
    if (!guest) return {};
    if (const auto watched = core_.watch->Add(status_.id, *guest); !watched)
      LogWarning("sandbox " + status_.id.text() + ": " + watched.error().ToString());
    sandbox.SetGuest(std::move(*guest));
    // What cannot be opened is closed, and tried again.
    const NetworkSpec& network = record_.view.spec.network;
    const bool paused = record_.view.state == SandboxState::kPaused;
    const auto opened = paused ? core_.networks->OpenPaused(sandbox.id(), sandbox.owner(), network)
                               : core_.networks->Want(sandbox.id(), sandbox.owner(), network);
    if (!opened) LogWarning("sandbox " + status_.id.text() + ": " + opened.error().ToString());
    return {};
  }

  Result<void> Write() {
    const Event event = core_.events.Reserve({.type = "sandbox.adopted",
                                              .sandbox = status_.id.text(),
                                              .owner = record_.view.owner,
                                              .reason = "requested",
                                              .data = {}});
    auto written = core_.store.Write([&](Database& db) -> Result<void> {
      TRY(RemoveRow(db, status_.id));  // one that is damaged
      TRY(SaveSandbox(db, record_));
      return EventLog::Insert(db, event);
    });
    if (written) {
      core_.events.Publish(event);
    } else {
      core_.events.Withdraw(event);
    }
    return written;
  }

  Core& core_;
  const engine::SandboxStatus& status_;
  SandboxRecord record_;
};

}  // namespace

Result<std::vector<Orphan>> ListOrphans(Core& core) {
  std::vector<Orphan> orphans;
  for (const engine::SandboxStatus& status : TRY(core.engine.List())) {
    if (!status.orphaned_unix_ms) continue;
    const SandboxView said = RecordOf(core, status).view;
    orphans.push_back({.id = status.id,
                       .since_unix_ms = *status.orphaned_unix_ms,
                       .created_unix_ms = status.created_unix_ms,
                       .owner = said.owner,
                       .name = said.spec.name,
                       .template_name = said.spec.template_name,
                       .state = status.state,
                       .damage = status.damage});
  }
  std::ranges::sort(orphans, {}, &Orphan::created_unix_ms);
  return orphans;
}

Result<SandboxView> AdoptOrphan(Core& core, const Caller& caller, std::string_view id,
                                const Adoption& adoption) {
  // What it says itself may be older than this rule.
  if (adoption.owner) TRY(CheckOwnerName(*adoption.owner));
  const std::vector<engine::SandboxStatus> all = TRY(core.engine.List());
  const auto found = std::ranges::find_if(all, [&](const engine::SandboxStatus& status) {
    return status.id.text() == id && status.orphaned_unix_ms;
  });
  if (found == all.end()) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "there is no orphaned sandbox " + std::string(id.substr(0, 160)))
                       .WithRemedy("list the orphaned sandboxes: " + Remedy(Action::kListOrphans)));
  }
  if (!found->damage.empty()) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "the sandbox cannot be adopted: " + found->damage)
                       .WithRemedy("save what you need of its files on the host, and remove it: "
                                   "cay gc --orphans"));
  }
  return Adopter(core, caller, *found, adoption).Run();
}

}  // namespace cay::sandbox
