#include "sandbox/lifecycle/transitions.h"

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "base/os/disk_room.h"
#include "base/os/log.h"
#include "sandbox/lifecycle/try_again.h"
#include "sandbox/records/sandbox_table.h"
#include "sandbox/records/tombstones.h"
#include "sandbox/rules/spec_rules.h"
#include "sandbox/startup/rules/startup_rules.h"

namespace cay::sandbox {

using store::Database;

namespace {

constexpr const char* kRequested = "requested";

}  // namespace

Result<void> Transitions::CheckNow(Act act, const Sandbox& sandbox) const {
  TRY(CheckCan(act, core_.engine_is));
  return CheckAct(act, sandbox.id(), sandbox.state());
}

// What the launcher has not: it is gone, or what there is of it could not be taken over.
Error Transitions::WhyNotThere(const SandboxId& id) const {
  const auto all = core_.engine.List();
  if (!all) return all.error();
  const std::string cannot = "sandbox " + id.text() + " cannot be started: ";
  const Remedy destroy(Action::kDestroy, id.text());
  const auto found = std::ranges::find(*all, id, &engine::SandboxStatus::id);
  if (found == all->end()) {
    return Error(ErrorCode::kIllegalState, Fault::kCaller, cannot + "nothing of it is left")
        .WithRemedy("destroy it, and create another: " + destroy);
  }
  return Error(ErrorCode::kIllegalState, Fault::kMachine,
               cannot + (found->damage.empty() ? std::string(kNotTakenOver) : found->damage))
      .WithRemedy(
          "put its record back and restart the server, or save what you need of its files "
          "and destroy it: " +
          destroy);
}

Result<void> Transitions::Begin(Sandbox& sandbox) {
  auto started = core_.engine.Start(sandbox.id());
  if (!started && started.error().code() == ErrorCode::kNotFound)
    return Failure(WhyNotThere(sandbox.id()));
  // It never ended: what failed was the end that was wanted of it.
  if (!started && started.error().code() == ErrorCode::kIllegalState && core_.WatchGuest(sandbox)) {
    return {};
  }
  engine::Created created = TRY(std::move(started));
  const auto watched = core_.WatchGuest(sandbox, *std::move(created.guest));
  if (!watched) {
    (void)core_.engine.Stop(sandbox.id());
    return watched;
  }
  sandbox.SetGuestProtocol(created.guest_protocol);
  sandbox.Change([&](SandboxRecord& record) { record.view.not_enforced = created.not_enforced; });
  return {};
}

// What runs again may write again. A disk that cannot be looked at says so when it is written to.
Result<void> Transitions::CheckRoomToGrow() const {
  const auto room = DiskRoomOf(core_.options()->paths.state_dir);
  return room ? CheckHostReserve(*room) : Result<void>{};
}

namespace {

// What is started or resumed after the end of its life gets another one.
void RenewLife(SandboxView& view, int64_t now_ms) {
  const Millis life = view.spec.timeout.value_or(Millis(0));
  if (!view.expires_unix_ms || *view.expires_unix_ms > now_ms || life <= Millis(0)) return;
  view.expires_unix_ms = now_ms + life.count();
}

}  // namespace

// A guest that has ended a moment ago, and that nobody has seen end.
void Transitions::NoteEnd(Sandbox& sandbox) {
  if (sandbox.state() != SandboxState::kRunning || !sandbox.GuestIsGone()) return;
  const auto exit = core_.engine.GetExit(sandbox.id());
  if (exit && exit->reason != engine::ExitReason::kNone) FailLocked(sandbox, GuestEndOf(*exit));
}

Result<SandboxView> Transitions::Start(Sandbox& sandbox) {
  const auto lock = TRY(LockTransition(sandbox));
  NoteEnd(sandbox);
  if (IsDone(Act::kStart, sandbox.state())) return sandbox.View();
  TRY(CheckNow(Act::kStart, sandbox));
  TRY(CheckRoomToGrow());
  const Bytes memory = sandbox.View().limits.memory;
  const Bytes held = sandbox.visit.memory.value_or(0);
  TRY(core_.admission.Resize(held, memory));
  auto begun = Begin(sandbox);
  if (begun) {
    const int64_t now = UnixMs();
    const NetworkSpec network = sandbox.View().spec.network;
    begun = core_.GiveTrust(sandbox, network);
    if (begun) begun = core_.networks->Open(sandbox.id(), sandbox.owner(), network);
    if (begun)
      begun = core_.Commit(
          sandbox,
          [&](SandboxRecord& record) {
            record.view.state = SandboxState::kRunning;
            record.view.reason = "started";
            record.view.started_unix_ms = record.view.last_activity_unix_ms = now;
            RenewStartup(record.view);
            RenewLife(record.view, now);
          },
          "sandbox.started", kRequested);
    if (!begun) {
      core_.networks->Close(sandbox.id());
      core_.UnwatchGuest(sandbox);
      (void)core_.engine.Stop(sandbox.id());
    }
  }
  if (!begun) {
    (void)core_.admission.Resize(memory, held);
    return Failure(begun.error());
  }
  sandbox.visit.memory.reset();
  core_.SetTimer(sandbox);
  return sandbox.View();
}

Result<void> Transitions::StopLocked(Sandbox& sandbox, const std::string& reason) {
  TRY(CheckNow(Act::kStop, sandbox));
  core_.UnwatchGuest(sandbox);
  const auto stopped = core_.WithReserve([&] { return core_.engine.Stop(sandbox.id()); });
  if (!stopped) {
    // It runs on; or its guest is gone, which the watch then sees.
    if (const auto watched = core_.WatchGuest(sandbox); !watched)
      FailLocked(sandbox, GuestEndOf(core_.engine.GetExit(sandbox.id()).value_or(engine::Exit{})));
    return stopped;
  }
  core_.networks->Close(sandbox.id());
  const Bytes memory = sandbox.View().limits.memory;
  core_.CommitFact(
      sandbox,
      [&](SandboxRecord& record) {
        record.view.state = SandboxState::kStopped;
        record.view.reason = reason;
        record.view.running = 0;
      },
      "sandbox.stopped", reason);
  (void)core_.admission.Resize(memory, 0);
  core_.SayGone(sandbox.id(), {GuestEndKind::kStopped, "stopped: " + reason});
  return {};
}

Result<SandboxView> Transitions::Stop(Sandbox& sandbox, const std::string& reason) {
  const auto lock = TRY(LockTransition(sandbox));
  if (IsDone(Act::kStop, sandbox.state())) return sandbox.View();
  TRY(StopLocked(sandbox, reason));
  return sandbox.View();
}

Result<void> Transitions::PauseLocked(Sandbox& sandbox, const std::string& reason) {
  TRY(CheckNow(Act::kPause, sandbox));
  TRY(core_.WithReserve([&] { return core_.engine.Pause(sandbox.id()); }));
  const auto done = core_.CommitUrgently(
      sandbox,
      [&](SandboxRecord& record) {
        record.view.state = SandboxState::kPaused;
        record.view.reason = reason;
      },
      "sandbox.paused", reason);
  if (!done) {
    (void)core_.engine.Resume(sandbox.id());
  } else {
    core_.networks->Pause(sandbox.id());
  }
  return done;
}

Result<SandboxView> Transitions::Pause(Sandbox& sandbox, const std::string& reason) {
  const auto lock = TRY(LockTransition(sandbox));
  if (IsDone(Act::kPause, sandbox.state())) return sandbox.View();
  TRY(PauseLocked(sandbox, reason));
  return sandbox.View();
}

Result<SandboxView> Transitions::Resume(Sandbox& sandbox) {
  const auto lock = TRY(LockTransition(sandbox));
  if (IsDone(Act::kResume, sandbox.state())) return sandbox.View();
  TRY(CheckNow(Act::kResume, sandbox));
  TRY(core_.WithReserve([&] { return core_.engine.Resume(sandbox.id()); }));
  const int64_t now = UnixMs();
  auto done = core_.GiveTrust(sandbox, sandbox.View().spec.network);
  if (done) done = core_.networks->Resume(sandbox.id());
  if (done) {
    done = core_.Commit(
        sandbox,
        [&](SandboxRecord& record) {
          record.view.state = SandboxState::kRunning;
          record.view.reason = "resumed";
          record.view.last_activity_unix_ms = now;
          RenewLife(record.view, now);
        },
        "sandbox.resumed", kRequested);
  }
  if (!done) {
    (void)core_.engine.Pause(sandbox.id());
    core_.networks->Pause(sandbox.id());
    return Failure(done.error());
  }
  core_.SetTimer(sandbox);
  return sandbox.View();
}

namespace {

// Keeps everybody from a guest that gives way to another, until it is known which there is.
class Renewal {
 public:
  explicit Renewal(Sandbox& sandbox) : sandbox_(sandbox) { sandbox_.SetRenewing(true); }
  ~Renewal() { sandbox_.SetRenewing(false); }
  Renewal(const Renewal&) = delete;
  Renewal& operator=(const Renewal&) = delete;

 private:
  Sandbox& sandbox_;
};

}  // namespace

Result<SandboxView> Transitions::Reset(Sandbox& sandbox, const templates::Template* base) {
  const auto lock = TRY(LockTransition(sandbox));
  TRY(CheckNow(Act::kReset, sandbox));
  const Renewal renewal(sandbox);
  core_.UnwatchGuest(sandbox);
  const std::optional<engine::RootFilesystem> root =
      base != nullptr ? std::optional(base->root) : std::nullopt;
  auto created = TwiceIfItMayHelp([&] { return core_.engine.Reset(sandbox.id(), root); });
  if (!created) {
    // It runs on as it was; or its guest has ended, and there is no other.
    if (!core_.WatchGuest(sandbox))
      FailLocked(sandbox, {.reason = "cannot be reset: " + created.error().message()});
    return Failure(std::move(created).error());
  }
  core_.SayGone(sandbox.id(), {GuestEndKind::kReset, "reset"});
  sandbox.SetGuestProtocol(created->guest_protocol);
  if (const auto watched = core_.WatchGuest(sandbox, *std::move(created->guest)); !watched) {
    FailLocked(sandbox, {.reason = "its new guest cannot be watched"});
    return Failure(watched.error());
  }
  // The network of the one before is none of the new one's. What cannot be opened is told, and
  // tried again: there is no way back.
  core_.networks->Close(sandbox.id());
  const NetworkSpec network = sandbox.View().spec.network;
  auto opened = core_.networks->Want(sandbox.id(), sandbox.owner(), network);
  const auto trusted = core_.GiveTrust(sandbox, network);
  if (opened) opened = trusted;
  const int64_t now = UnixMs();
  TRY(core_.Commit(
      sandbox,
      [&](SandboxRecord& record) {
        record.view.reason = base != nullptr ? "restored" : "reset";
        if (base != nullptr) record.view.spec.template_name = base->name;
        record.view.started_unix_ms = record.view.last_activity_unix_ms = now;
        record.view.running = 0;
        RenewStartup(record.view);
        record.view.not_enforced = created->not_enforced;
      },
      base != nullptr ? "sandbox.restored" : "sandbox.reset", kRequested));
  core_.SetTimer(sandbox);
  TRY(opened);
  return sandbox.View();
}

namespace {

// One that does not run gets its network when it is started, and one that is paused cannot be given
// certificates before it is resumed.
Result<void> ChangeNetwork(Core& core, Sandbox& sandbox, const NetworkSpec& spec) {
  switch (sandbox.state()) {
    case SandboxState::kRunning:
      TRY(core.GiveTrust(sandbox, spec));
      return core.networks->Open(sandbox.id(), sandbox.owner(), spec);
    case SandboxState::kPaused:
      return core.networks->OpenPaused(sandbox.id(), sandbox.owner(), spec);
    default:
      return {};
  }
}

}  // namespace

// With the ports that were chosen in it afterwards.
Result<void> Transitions::Settle(const Sandbox& sandbox, SandboxSpec& spec) {
  spec.network.publish =
      TRY(core_.networks->Settle(sandbox.id(), sandbox.owner(), spec.name, spec.network));
  return {};
}

Result<SandboxView> Transitions::Update(Sandbox& sandbox, const SandboxChange& change) {
  const auto lock = TRY(LockTransition(sandbox));
  const SandboxView before = sandbox.View();
  const auto options = core_.options();
  ResolvedChange changed = TRY(ResolveChange(before.spec, before.limits, change, *options));
  if (change.network) {
    TRY(core_.secrets.Grant(sandbox.owner(), options->network.bounds, before.spec.env,
                            before.spec.network, changed.spec.network));
  }
  TRY(CheckNow(changed.limits_changed ? Act::kLimit : Act::kChange, sandbox));
  if (change.on_timeout || change.network) TRY(CheckCan(changed.spec, core_.engine_is));
  SandboxView after = before;
  after.limits = changed.limits;
  if (change.name) TRY(core_.registry.CheckIsNoId(changed.spec.name));
  TRY(core_.registry.Rename(sandbox, before.spec.name, changed.spec.name));
  Result<void> done = core_.admission.Resize(HoldingOf(before).memory, HoldingOf(after).memory);
  const bool resized = done.has_value();
  if (done && changed.limits_changed) done = core_.engine.Update(sandbox.id(), changed.limits);
  const bool updated = done && changed.limits_changed;
  const bool resettled = done && (changed.spec.network != before.spec.network ||
                                  changed.spec.name != before.spec.name);
  if (resettled) done = Settle(sandbox, changed.spec);
  const bool renetworked = done && changed.spec.network != before.spec.network;
  if (renetworked) done = ChangeNetwork(core_, sandbox, changed.spec.network);
  if (done) {
    const int64_t now = UnixMs();
    done = core_.Commit(
        sandbox,
        [&](SandboxRecord& record) {
          record.view.spec = changed.spec;
          record.view.limits = changed.limits;
          if (!change.timeout) return;
          record.view.expires_unix_ms.reset();
          if (change.timeout->count() > 0)
            record.view.expires_unix_ms = now + change.timeout->count();
        },
        "sandbox.updated", kRequested);
  }
  if (!done) {
    if (renetworked) (void)ChangeNetwork(core_, sandbox, before.spec.network);
    if (resettled) {
      core_.networks->Resettle(sandbox.id(), sandbox.owner(), before.spec.name,
                               before.spec.network);
    }
    if (updated) (void)core_.engine.Update(sandbox.id(), before.limits);
    if (resized) (void)core_.admission.Resize(HoldingOf(after).memory, HoldingOf(before).memory);
    (void)core_.registry.Rename(sandbox, changed.spec.name, before.spec.name);
    return Failure(done.error());
  }
  core_.KeepPromise(sandbox.Record());
  sandbox.Touch();
  core_.SetTimer(sandbox);
  return sandbox.View();
}

Result<SandboxView> Transitions::Extend(Sandbox& sandbox, Millis by) {
  const auto lock = TRY(LockTransition(sandbox));
  TRY(CheckNow(Act::kChange, sandbox));
  const SandboxView view = sandbox.View();
  if (by <= Millis(0))
    return Failure(Error::Impossible("a sandbox's life can only be extended by more than 0"));
  if (!view.expires_unix_ms) {
    return Failure(
        Error(ErrorCode::kInvalidArgument, Fault::kCaller,
              "sandbox " + sandbox.id().text() + " has no timeout that could be extended")
            .WithRemedy("set one: " + Remedy(Action::kSetTimeout, sandbox.id().text())));
  }
  TRY(CheckLifetime(by, *core_.options()));  // before the sum, which might not fit
  // Where its life is over already, from now on.
  const int64_t end = std::max(*view.expires_unix_ms, UnixMs()) + by.count();
  TRY(CheckLifetime(Millis(std::max<int64_t>(end - UnixMs(), 1)), *core_.options()));
  TRY(core_.Commit(
      sandbox, [&](SandboxRecord& record) { record.view.expires_unix_ms = end; },
      "sandbox.extended", kRequested));
  sandbox.Touch();
  core_.SetTimer(sandbox);
  return sandbox.View();
}

void Transitions::FailLocked(Sandbox& sandbox, const GuestEnd& end) {
  const SandboxView before = sandbox.View();
  core_.UnwatchGuest(sandbox);
  core_.networks->Close(sandbox.id());
  core_.CommitFact(
      sandbox,
      [&](SandboxRecord& record) {
        record.view.state = SandboxState::kFailed;
        record.view.reason = end.reason;
        record.view.guest_end = end.kind;
        record.view.running = 0;
      },
      "sandbox.failed", end.reason);
  (void)core_.admission.Resize(HoldingOf(before).memory, 0);
  core_.metrics.Count([](ManagerMetrics& metrics) { ++metrics.failed; });
  core_.SayGone(sandbox.id(), end);
  core_.SetTimer(sandbox);
}

void Transitions::Forget(Sandbox& sandbox) {
  const SandboxView view = sandbox.View();
  core_.timer->Forget(sandbox.id());
  core_.registry.Remove(sandbox, view.spec.name);
  core_.admission.Release(sandbox.owner(), HoldingOf(view));
  sandbox.Change([](SandboxRecord& record) {
    record.view.state = SandboxState::kDestroyed;
    record.view.running = 0;
  });
}

Result<void> Transitions::DestroyLocked(Sandbox& sandbox, const std::string& reason) {
  TRY(CheckNow(Act::kDestroy, sandbox));
  const auto begun = SteadyNow();
  const SandboxId id = sandbox.id();
  sandbox.SetEnding(true);
  const auto promised =
      core_.store.WriteUrgently([&](Database& db) { return MarkDestroying(db, id, reason); });
  // What cannot be written is no reason to keep it: on a full disk its end is what makes room.
  if (!promised) {
    LogWarning("sandbox " + id.text() +
               " is destroyed although that could not be written to the database: " +
               promised.error().ToString());
    if (const auto set = SetTombstone(core_.options()->paths.state_dir, id, reason); !set)
      LogWarning("sandbox " + id.text() + ": " + set.error().ToString());
  }
  core_.UnwatchGuest(sandbox);
  const auto destroyed = core_.engine.Destroy(id);
  if (!destroyed && destroyed.error().code() != ErrorCode::kNotFound) {
    if (!promised) RemoveTombstone(core_.options()->paths.state_dir, id);
    sandbox.SetEnding(false);
    if (sandbox.state() != SandboxState::kFailed)
      FailLocked(sandbox, {.reason = "cannot be destroyed: " + destroyed.error().message()});
    return destroyed;
  }
  core_.networks->Forget(id);
  if (sandbox.visit.memory) (void)core_.admission.Resize(*sandbox.visit.memory, 0);
  sandbox.visit.memory.reset();
  Forget(sandbox);
  const Event event = core_.events.Reserve({.type = "sandbox.destroyed",
                                            .sandbox = id.text(),
                                            .owner = sandbox.owner(),
                                            .reason = reason,
                                            .data = {}});
  const auto settle = [id, reason, event](Database& db) -> Result<void> {
    TRY(MarkDestroyed(db, id, reason, event.unix_ms));
    return EventLog::Insert(db, event);
  };
  // Lost, the next start finds what was promised above, and that it is done.
  if (promised || !core_.store.WriteUrgently(settle)) core_.store.WriteLater(settle);
  core_.events.Publish(event);
  core_.SayGone(id, {GuestEndKind::kDestroyed, "destroyed: " + reason});
  const auto spent = SteadyNow() - begun;
  core_.metrics.Count([&](ManagerMetrics& metrics) {
    ++metrics.destroyed;
    Observe(metrics.destroy,
            static_cast<uint64_t>(
                std::chrono::duration_cast<std::chrono::microseconds>(spent).count()));
  });
  return {};
}

Result<void> Transitions::Destroy(Sandbox& sandbox, const std::string& reason) {
  const auto lock = TRY(LockTransition(sandbox));
  return DestroyLocked(sandbox, reason);
}

}  // namespace cay::sandbox
