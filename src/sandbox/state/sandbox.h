// Sandbox: one sandbox, as the manager holds it: what is promised (the record, which the store
// keeps) and what is so just now (its users, its guest).
//
// Two locks. `transition` is held over a whole change of state, the engine's work included; one at
// a time. The other is inside, and is held for moments: looking and using never wait for the
// engine.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "protocol/messages.h"
#include "sandbox/records/record.h"
#include "sandbox/rules/deadlines.h"
#include "sandbox/rules/state_machine.h"
#include "sandbox/types.h"

namespace cay::sandbox {

class Sandbox {
 public:
  Sandbox(engine::Engine& engine, SandboxRecord record);
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  const SandboxId& id() const { return id_; }
  const std::string& owner() const { return owner_; }
  int64_t created_unix_ms() const { return created_unix_ms_; }
  engine::Engine& engine() const { return engine_; }

  std::mutex transition;

  // The users of a stopped sandbox's files (visits.h). With the transition held.
  struct Visit {
    size_t users = 0;  // also those whose guest has become the sandbox's own, or is gone
    std::optional<Bytes> memory{};  // admitted for the guest; nothing: there is none
  };
  Visit visit;

  SandboxRecord Record() const;
  SandboxView View() const;  // as it is at this moment
  SandboxState state() const;
  Times TimesNow() const;
  void Change(const std::function<void(SandboxRecord&)>& change);

  // In use from here to Leave. kIllegalState where the act is not allowed; kNotFound once it is
  // being destroyed.
  Result<void> Enter(Act act);
  // The same, for what is no use of it: without Leave, and without an end to its idleness.
  Result<void> EnterQuietly(Act act);
  void Leave();
  void NoteExecution(int running_delta, bool begins);
  // Notes activity.
  void Touch();

  // While its guest gives way to another, Enter fails (kUnavailable): a request to the one would be
  // answered by the other. A caller that can wait for `transition` asks again then.
  void SetRenewing(bool renewing);
  bool renewing() const;

  // True: it is being destroyed, and Enter fails from here on. False: it is not, after all.
  void SetEnding(bool ending);
  bool ending() const;

  // kProtocolVersion of the program that started its guest.
  void SetGuestProtocol(uint32_t version) { guest_protocol_ = version; }
  uint32_t guest_protocol() const { return guest_protocol_; }

  // Its guest's pidfd; nothing when it has none.
  void SetGuest(std::optional<Fd> pidfd);
  Result<Fd> Watch() const;
  bool GuestIsGone() const;

  void SetIdleNotBefore(int64_t unix_ms);

  // Since the last call; nothing: it was not used.
  std::optional<Activity> TakeActivity();

  // The process that starts with it. True for the first who asks since it is to be started: that
  // one starts it, and says what became of it.
  bool TakeStartup();
  // The end of any of its processes.
  void NoteProcessEnd(const StartupEnd& end);
  // Of the life that began then; otherwise nothing happens. True: its status is another one.
  bool SetHealth(int64_t started_unix_ms, const CheckReport& report);
  // It is to end by itself until then. False: it was asked to already, and quit_until() says when.
  bool BeginQuit(uint64_t process, SteadyTime until);
  SteadyTime quit_until() const;
  // Waits for a change, of whatever kind, at most so long.
  void AwaitChange(Millis patience) const;

 private:
  Times TimesLocked() const;
  Result<void> CheckEnter(Act act) const;

  // One that was asked to end, and when it is killed.
  struct Quit {
    uint64_t process = 0;
    SteadyTime until{};
  };

  engine::Engine& engine_;
  const SandboxId id_;
  const std::string owner_;
  const int64_t created_unix_ms_;

  std::atomic<uint32_t> guest_protocol_ = protocol::kProtocolVersion;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Quit quit_;
  SandboxRecord record_;
  std::optional<Fd> guest_;
  size_t leases_ = 0;
  bool ending_ = false;
  bool renewing_ = false;
  bool active_ = false;  // since TakeActivity
  int64_t idle_not_before_ms_ = 0;
};

}  // namespace cay::sandbox
