// Transitions: all changes of an existing sandbox's state; one that is in the wanted state already
// is left alone. Each holds the sandbox's `transition` from the check of its state to the promise
// in the store. The engine acts first, then the store is written: the next server believes the
// engine about what happened. Only a destroy, which cannot be taken back, is promised first.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "sandbox/lifecycle/core.h"
#include "sandbox/rules/state_machine.h"

namespace cay::sandbox {

class Transitions {
 public:
  explicit Transitions(Core& core) : core_(core) {}

  Result<SandboxView> Start(Sandbox& sandbox);
  Result<SandboxView> Stop(Sandbox& sandbox, const std::string& reason);
  Result<SandboxView> Pause(Sandbox& sandbox, const std::string& reason);
  Result<SandboxView> Resume(Sandbox& sandbox);
  Result<SandboxView> Reset(Sandbox& sandbox) { return Reset(sandbox, nullptr); }
  // To what this template gives; null: its own.
  Result<SandboxView> Reset(Sandbox& sandbox, const templates::Template* base);
  Result<SandboxView> Update(Sandbox& sandbox, const SandboxChange& change);
  Result<SandboxView> Extend(Sandbox& sandbox, Millis by);
  Result<void> Destroy(Sandbox& sandbox, const std::string& reason);

  // With the transition held by the caller: for those that must not wait for it.
  Result<void> StopLocked(Sandbox& sandbox, const std::string& reason);
  Result<void> PauseLocked(Sandbox& sandbox, const std::string& reason);
  Result<void> DestroyLocked(Sandbox& sandbox, const std::string& reason);
  // Its guest has ended by itself.
  void FailLocked(Sandbox& sandbox, const GuestEnd& end);

 private:
  Result<void> CheckNow(Act act, const Sandbox& sandbox) const;
  Result<void> Settle(const Sandbox& sandbox, SandboxSpec& spec);
  Result<void> CheckRoomToGrow() const;
  Error WhyNotThere(const SandboxId& id) const;
  // A new guest over what is there; the old one, if any, has ended.
  Result<void> Begin(Sandbox& sandbox);
  void NoteEnd(Sandbox& sandbox);
  void Forget(Sandbox& sandbox);

  Core& core_;
};

// Why the launcher does not have a sandbox that is there, when its record gives no other reason.
inline constexpr std::string_view kNotTakenOver =
    "it cannot be taken over: its record is damaged, or another process has it";

}  // namespace cay::sandbox
