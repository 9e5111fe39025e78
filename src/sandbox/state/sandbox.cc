#include "sandbox/state/sandbox.h"

#include <algorithm>

#include "base/clock.h"
#include "sandbox/startup/rules/startup_rules.h"
#include "sandbox/state/guest_watch.h"

namespace cay::sandbox {

Sandbox::Sandbox(engine::Engine& engine, SandboxRecord record)
    : engine_(engine),
      id_(record.view.id),
      owner_(record.view.owner),
      created_unix_ms_(record.view.created_unix_ms),
      record_(std::move(record)) {}

SandboxRecord Sandbox::Record() const {
  const std::lock_guard lock(mutex_);
  return record_;
}

Times Sandbox::TimesLocked() const {
  const SandboxView& view = record_.view;
  return {.state = view.state,
          .in_use = leases_ != 0 || view.running != 0,
          .last_activity_ms = view.last_activity_unix_ms,
          .idle_not_before_ms = idle_not_before_ms_,
          .idle_timeout_ms = view.spec.idle_timeout.value_or(Millis(0)).count(),
          .expires_ms = view.expires_unix_ms,
          .on_timeout = view.spec.on_timeout.value_or(OnTimeout::kDestroy)};
}

Times Sandbox::TimesNow() const {
  const std::lock_guard lock(mutex_);
  return TimesLocked();
}

SandboxView Sandbox::View() const {
  const std::lock_guard lock(mutex_);
  SandboxView view = record_.view;
  SettleStartup(view);
  view.idle_expires_unix_ms = IdleDeadline(TimesLocked(), UnixMs());
  return view;
}

SandboxState Sandbox::state() const {
  const std::lock_guard lock(mutex_);
  return record_.view.state;
}

void Sandbox::Change(const std::function<void(SandboxRecord&)>& change) {
  {
    const std::lock_guard lock(mutex_);
    change(record_);
  }
  changed_.notify_all();
}

namespace {

Result<void> CheckGuestProtocol(const SandboxId& id, uint32_t version) {
  if (version >= protocol::kOldestGuestProtocol && version <= protocol::kProtocolVersion) return {};
  const std::string whose = version > protocol::kProtocolVersion ? "newer" : "much older";
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "the guest of sandbox " + id.text() + " was started by a " + whose +
                           " version of cay: it speaks version " + std::to_string(version) +
                           " of the protocol, and this server speaks " +
                           std::to_string(protocol::kOldestGuestProtocol) + " to " +
                           std::to_string(protocol::kProtocolVersion))
                     .WithRemedy("use that version, or stop and start the sandbox"));
}

}  // namespace

Result<void> Sandbox::CheckEnter(Act act) const {
  if (ending_) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "sandbox " + id_.text() + " is being destroyed"));
  }
  if (renewing_) {
    return Failure(
        Error(ErrorCode::kUnavailable, Fault::kMachine, "sandbox " + id_.text() + " is being reset")
            .WithRemedy("try again in a moment"));
  }
  TRY(CheckAct(act, id_, record_.view.state));
  return CheckGuestProtocol(id_, guest_protocol_);
}

Result<void> Sandbox::EnterQuietly(Act act) {
  const std::lock_guard lock(mutex_);
  return CheckEnter(act);
}

Result<void> Sandbox::Enter(Act act) {
  const std::lock_guard lock(mutex_);
  TRY(CheckEnter(act));
  ++leases_;
  active_ = true;
  record_.view.last_activity_unix_ms = UnixMs();
  return {};
}

void Sandbox::SetRenewing(bool renewing) {
  const std::lock_guard lock(mutex_);
  renewing_ = renewing;
}

bool Sandbox::renewing() const {
  const std::lock_guard lock(mutex_);
  return renewing_;
}

void Sandbox::Leave() {
  const std::lock_guard lock(mutex_);
  --leases_;
  active_ = true;
  record_.view.last_activity_unix_ms = UnixMs();
}

void Sandbox::Touch() {
  const std::lock_guard lock(mutex_);
  active_ = true;
  record_.view.last_activity_unix_ms = UnixMs();
}

void Sandbox::NoteExecution(int running_delta, bool begins) {
  const std::lock_guard lock(mutex_);
  SandboxView& view = record_.view;
  if (running_delta > 0) {
    if (begins) view.executions += static_cast<uint64_t>(running_delta);
    view.running += static_cast<uint64_t>(running_delta);
  } else {
    view.running -= std::min(view.running, static_cast<uint64_t>(-running_delta));
  }
  active_ = true;
  view.last_activity_unix_ms = UnixMs();
}

void Sandbox::SetEnding(bool ending) {
  const std::lock_guard lock(mutex_);
  ending_ = ending;
}

bool Sandbox::ending() const {
  const std::lock_guard lock(mutex_);
  return ending_;
}

void Sandbox::SetGuest(std::optional<Fd> pidfd) {
  const std::lock_guard lock(mutex_);
  guest_ = std::move(pidfd);
}

Result<Fd> Sandbox::Watch() const {
  const std::lock_guard lock(mutex_);
  if (guest_) return guest_->Duplicate();
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "sandbox " + id_.text() + " has no guest now"));
}

bool Sandbox::GuestIsGone() const {
  const std::lock_guard lock(mutex_);
  return !guest_ || IsGone(*guest_);
}

void Sandbox::SetIdleNotBefore(int64_t unix_ms) {
  const std::lock_guard lock(mutex_);
  idle_not_before_ms_ = unix_ms;
}

bool Sandbox::TakeStartup() {
  const std::lock_guard lock(mutex_);
  auto& startup = record_.view.startup;
  if (!startup || startup->state != StartupState::kStarting || startup->begun) return false;
  startup->begun = true;
  return true;
}

void Sandbox::NoteProcessEnd(const StartupEnd& end) {
  {
    const std::lock_guard lock(mutex_);
    auto& startup = record_.view.startup;
    if (!startup || startup->process != end.process || end.process == 0 ||
        startup->state != StartupState::kRunning) {
      return;
    }
    startup->state = end.state;
    startup->reason = end.reason;
    startup->exit_code = end.exit_code;
    startup->signal = end.signal;
    startup->ended_unix_ms = end.unix_ms;
  }
  changed_.notify_all();
}

bool Sandbox::SetHealth(int64_t started_unix_ms, const CheckReport& report) {
  const std::lock_guard lock(mutex_);
  SandboxView& view = record_.view;
  if (view.started_unix_ms != started_unix_ms || !view.health) return false;
  const CheckStatus before = view.health->status;
  view.health = report;
  return before != report.status;
}

bool Sandbox::BeginQuit(uint64_t process, SteadyTime until) {
  // One that was asked long ago, and was not stopped after all, is asked again.
  constexpr Millis kForgottenAfter{60'000};
  const std::lock_guard lock(mutex_);
  if (quit_.process == process && SteadyNow() < quit_.until + kForgottenAfter) return false;
  quit_ = {.process = process, .until = until};
  return true;
}

SteadyTime Sandbox::quit_until() const {
  const std::lock_guard lock(mutex_);
  return quit_.until;
}

void Sandbox::AwaitChange(Millis patience) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience);
}

std::optional<Activity> Sandbox::TakeActivity() {
  const std::lock_guard lock(mutex_);
  if (!active_) return std::nullopt;
  active_ = false;
  return Activity{record_.view.last_activity_unix_ms, record_.view.executions};
}

}  // namespace cay::sandbox
