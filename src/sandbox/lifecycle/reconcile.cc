#include "sandbox/lifecycle/reconcile.h"

#include <chrono>
#include <map>

#include "base/clock.h"
#include "base/os/log.h"
#include "sandbox/lifecycle/transitions.h"
#include "sandbox/records/sandbox_table.h"
#include "sandbox/records/tombstones.h"

namespace cay::sandbox {
namespace {

using store::Database;

// What became of one that is in the engine.
struct Found {
  SandboxState state = SandboxState::kFailed;
  std::string reason{};                       // of kFailed …
  GuestEndKind end = GuestEndKind::kUnknown;  // … likewise
  std::optional<Fd> guest{};
};

class Reconciler {
 public:
  explicit Reconciler(Core& core) : core_(core) {}

  Result<ReconcileReport> Run() {
    core_.networks->TakeOver();
    for (engine::SandboxStatus& status : TRY(core_.engine.List())) {
      // Of what is damaged it is not known whose it is.
      const bool ours = status.lifetime == engine::Lifetime::kPersistent &&
                        (status.label.starts_with(kServerLabel) || !status.damage.empty());
      if (ours) there_.emplace(status.id, std::move(status));
    }
    std::vector<StoredSandbox> promised;
    TRY(core_.store.Read([&](Database& db) -> Result<void> {
      promised = TRY(LoadSandboxes(db));
      return {};
    }));
    tombstones_ = ReadTombstones(state_dir_);
    for (StoredSandbox& stored : promised) TRY(Settle(stored));
    for (const auto& [id, status] : there_) TRY(SettleUnknown(status));
    for (const auto& [id, reason] : tombstones_) RemoveTombstone(state_dir_, id);
    core_.networks->EndTakeOver();
    return std::move(report_);
  }

 private:
  Result<void> Settle(StoredSandbox& stored) {
    const SandboxId id = stored.record.view.id;
    const auto found = there_.find(id);
    const bool is_there = found != there_.end();
    if (!stored.damage.empty()) {
      if (!is_there) report_.lost.emplace_back(id.text(), stored.damage);
      return {};
    }
    const engine::SandboxStatus status = is_there ? found->second : engine::SandboxStatus{.id = id};
    if (is_there) there_.erase(found);
    if (const auto tombstone = tombstones_.find(id); tombstone != tombstones_.end()) {
      stored.destroying = true;
      stored.record.view.reason = tombstone->second;
    }
    if (stored.destroying) return FinishDestroying(stored, status);
    if (!is_there) {
      if (!WasLost(stored.record.view)) report_.lost.emplace_back(id.text(), "its sandbox is gone");
      return Keep(stored, status,
                  {.reason = WasLost(stored.record.view) ? stored.record.view.reason
                                                         : "lost: its sandbox is gone",
                   .end = GuestEndKind::kLost});
    }
    Found now = TRY(LookAt(status, stored.record.view));
    if (now.state == SandboxState::kFailed && stored.record.view.state != SandboxState::kFailed) {
      report_.lost.emplace_back(id.text(), now.reason);
    } else {
      ++report_.adopted;
    }
    return Keep(stored, status, std::move(now));
  }

  static bool WasLost(const SandboxView& view) {
    return view.state == SandboxState::kFailed && view.guest_end == GuestEndKind::kLost;
  }

  Result<Found> LookAt(const engine::SandboxStatus& status, const SandboxView& view) {
    const SandboxId& id = status.id;
    if (!status.damage.empty()) return Found{.reason = "damaged: " + status.damage};
    if (status.orphaned_unix_ms) {
      // A later copy of the database has come back.
      auto adopted = core_.engine.Adopt(id);
      if (!adopted && adopted.error().code() == ErrorCode::kUnavailable)
        return Failure(
            std::move(adopted).error());  // of the launcher, and says nothing about the sandbox
      if (!adopted) return Found{.reason = "cannot be taken back: " + adopted.error().message()};
    }
    if (status.state == engine::State::kStopped) return Found{.state = SandboxState::kStopped};
    auto guest = core_.engine.Watch(id);
    if (guest) {
      const bool paused = status.state == engine::State::kPaused;
      return Found{.state = paused ? SandboxState::kPaused : SandboxState::kRunning,
                   .guest = std::move(*guest)};
    }
    // It is there, and the launcher has it not: its record is damaged, or another process holds its
    // lock.
    if (guest.error().code() == ErrorCode::kNotFound)
      return Found{.reason = std::string(kNotTakenOver)};
    // Anything else but "it has no guest" says nothing about the sandbox.
    if (guest.error().code() != ErrorCode::kIllegalState)
      return Failure(std::move(guest).error().WithContext("adopting sandbox " + id.text()));
    if (view.state == SandboxState::kFailed)
      return Found{.reason = view.reason, .end = view.guest_end};
    const engine::Exit exit = TRY(core_.engine.GetExit(id));
    return Found{
        .reason = "lost: its guest ended while no server was there, or cannot be reached (" +
                  GuestEndOf(exit).reason + ")",
        .end = GuestEndKind::kLost};
  }

  Result<void> Keep(StoredSandbox& stored, const engine::SandboxStatus& status, Found now) {
    SandboxRecord& record = stored.record;
    const bool changed = record.view.state != now.state ||
                         (now.state == SandboxState::kFailed && record.view.reason != now.reason);
    if (changed) {
      record.view.state = now.state;
      record.view.guest_end = now.end;
      record.view.reason =
          now.state == SandboxState::kFailed ? now.reason : "as found at the server's start";
      WriteFact(record.view.id.text(), [&](Database& db) { return SaveSandbox(db, record); });
      if (now.state == SandboxState::kFailed) Say("server.lost", record, now.reason);
    }
    auto sandbox = std::make_shared<Sandbox>(core_.engine, record);
    sandbox->SetGuestProtocol(status.guest_protocol);
    sandbox->SetIdleNotBefore(UnixMs() + kIdleGrace.count());
    TRY(core_.registry.Insert(sandbox, record.view.spec.name));
    core_.admission.Adopt(record.view.owner, HoldingOf(record.view));
    core_.networks->Resettle(record.view.id, record.view.owner, record.view.spec.name,
                             record.view.spec.network);
    // A program before 0.1.0 wrote none, or it was not written.
    if (!core_.engine.ReadPromise(record.view.id)) core_.KeepPromise(record);
    if (now.guest) {
      TRY(core_.watch->Add(sandbox->id(), *now.guest));
      sandbox->SetGuest(std::move(now.guest));
      OpenNetwork(*sandbox);
      RenewTrust(*sandbox);
    }
    return {};
  }

  // Where the server's authority has become another: with its files it was lost, or it was renewed
  // while no server ran. No sandbox keeps the server from starting for long.
  void RenewTrust(Sandbox& sandbox) {
    const SandboxView view = sandbox.View();
    if (!core_.networks->Intercepts(view.spec.network) || view.state != SandboxState::kRunning)
      return;
    const auto authority = core_.secrets.Authority();
    Result<void> given = authority ? Result<void>() : Failure(authority.error());
    if (authority && authority->mark == sandbox.Record().trust) return;
    if (given && SteadyNow() >= trust_ends_) {
      given = Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                            "there is no more time for certificates while the server starts"));
    }
    if (given) given = core_.GiveTrust(sandbox, view.spec.network, kTrustPatience);
    if (given) {
      WriteFact(view.id.text(), [&](Database& db) { return SaveSandbox(db, sandbox.Record()); });
      return;
    }
    LogWarning("sandbox " + view.id.text() +
               " does not trust the server's new authority, until it "
               "is started, reset or resumed: " +
               given.error().ToString());
  }

  // What cannot be opened is closed, and tried again.
  void OpenNetwork(const Sandbox& sandbox) {
    const NetworkSpec& spec = sandbox.View().spec.network;
    const bool paused = sandbox.state() == SandboxState::kPaused;
    const auto opened = paused ? core_.networks->OpenPaused(sandbox.id(), sandbox.owner(), spec)
                               : core_.networks->Want(sandbox.id(), sandbox.owner(), spec);
    if (!opened) LogWarning("sandbox " + sandbox.id().text() + ": " + opened.error().ToString());
  }

  Result<void> FinishDestroying(StoredSandbox& stored, const engine::SandboxStatus& status) {
    const SandboxView& view = stored.record.view;
    const auto destroyed = core_.engine.Destroy(view.id);
    if (!destroyed && destroyed.error().code() != ErrorCode::kNotFound) {
      // It is still to be destroyed, and can be asked for again.
      const std::string reason = "cannot be destroyed: " + destroyed.error().message();
      LogWarning("sandbox " + view.id.text() + " " + reason);
      return Keep(stored, status, {.reason = reason});
    }
    const bool written = WriteFact(view.id.text(), [&](Database& db) {
      return MarkDestroyed(db, view.id, view.reason, UnixMs());
    });
    if (!written) tombstones_.erase(view.id);  // stays for the next start
    Say("sandbox.destroyed", stored.record, view.reason);
    return {};
  }

  // What was found is so, whether it can be written or not: the next start finds it again.
  bool WriteFact(const std::string& id, const store::Work& work) {
    const auto written = core_.store.WriteUrgently(work);
    if (!written) LogError("sandbox " + id + ": " + written.error().ToString());
    return written.has_value();
  }

  // One that was destroyed by somebody's word is not there any more, as a rule; but it is not
  // promised.
  Result<bool> IsPromised(const engine::SandboxStatus& status) {
    if (!status.promised || tombstones_.contains(status.id)) return false;
    bool was_destroyed = false;
    TRY(core_.store.Read([&](Database& db) -> Result<void> {
      const auto destroyed = TRY(FindDestroyed(db, status.id.text(), {}));
      was_destroyed = destroyed && destroyed->id == status.id;
      return {};
    }));
    return !was_destroyed;
  }

  Result<void> SettleUnknown(const engine::SandboxStatus& status) {
    if (!TRY(IsPromised(status))) {
      RemoveUnpromised(status.id);
      return {};
    }
    ++report_.orphaned;
    if (status.orphaned_unix_ms) return {};
    const auto disowned = core_.engine.Disown(status.id);
    if (!disowned) {
      LogWarning("sandbox " + status.id.text() +
                 ", whose row is lost, was not marked: " + disowned.error().ToString());
    }
    Say("server.orphaned", SandboxRecord(status.id), "no row of the database names it");
    return {};
  }

  void RemoveUnpromised(const SandboxId& id) {
    const auto destroyed = core_.engine.Destroy(id);
    if (destroyed) {
      ++report_.removed;
    } else {
      LogWarning("removing sandbox " + id.text() +
                 ", which belongs to nobody: " + destroyed.error().ToString());
    }
  }

  void Say(const std::string& type, const SandboxRecord& record, const std::string& reason) {
    core_.events.Append({.type = type,
                         .sandbox = record.view.id.text(),
                         .owner = record.view.owner,
                         .reason = reason,
                         .data = {}});
  }

  static constexpr Millis kTrustPatience{200};  // of one; the guest is there
  static constexpr std::chrono::seconds kTrustTime{5};

  Core& core_;
  const SteadyTime trust_ends_ = SteadyNow() + kTrustTime;
  const std::string state_dir_ = core_.options()->paths.state_dir;
  std::map<SandboxId, std::string> tombstones_;  // to be removed: the store knows
  std::map<SandboxId, engine::SandboxStatus> there_;
  ReconcileReport report_;
};

}  // namespace

Result<ReconcileReport> Reconcile(Core& core) {
  if (const auto prepared = PrepareTombstones(core.options()->paths.state_dir); !prepared)
    LogWarning(prepared.error().ToString());
  ReconcileReport report = TRY(Reconciler(core).Run());
  core.metrics.Count([&](ManagerMetrics& metrics) {
    metrics.adopted = report.adopted;
    metrics.lost = report.lost.size();
  });
  if (report.adopted != 0) {
    core.events.Append({.type = "server.adopted",
                        .sandbox = {},
                        .owner = {},
                        .reason = std::to_string(report.adopted) + " sandboxes",
                        .data = "{\"adopted\":" + std::to_string(report.adopted) + "}"});
  }
  for (const auto& sandbox : core.registry.All()) core.SetTimer(*sandbox);
  return report;
}

}  // namespace cay::sandbox
