#include "sandbox/lifecycle/visits.h"

#include "base/os/log.h"

namespace cay::sandbox {

// With the transition held.
Result<void> Visits::Begin(Sandbox& sandbox) {
  Sandbox::Visit& visit = sandbox.visit;
  if (visit.memory && !sandbox.GuestIsGone()) return {};
  TRY(CheckCan(Act::kFiles, core_.engine_is));
  const bool is_first = !visit.memory;
  const Bytes memory = sandbox.View().limits.memory;
  if (is_first) TRY(core_.admission.Resize(0, memory));
  auto visited = core_.WithReserve([&] { return core_.engine.Visit(sandbox.id()); });
  if (!visited) {
    if (is_first) (void)core_.admission.Resize(memory, 0);
    return Failure(std::move(visited).error());
  }
  if (is_first) visit.memory = memory;
  sandbox.SetGuestProtocol(visited->guest_protocol);
  sandbox.SetGuest(std::move(visited->guest));
  return {};
}

Result<bool> Visits::Enter(Sandbox& sandbox) {
  // One that runs is entered without waiting for what changes it.
  if (sandbox.state() != SandboxState::kStopped) {
    const auto entered = sandbox.Enter(Act::kUse);
    if (entered) return false;
    if (sandbox.state() != SandboxState::kStopped) return Failure(entered.error());
  }
  const auto lock = TRY(LockTransition(sandbox));
  if (sandbox.state() != SandboxState::kStopped) {
    TRY(sandbox.Enter(Act::kUse));
    return false;
  }
  TRY(Begin(sandbox));
  ++sandbox.visit.users;
  const auto entered = sandbox.Enter(Act::kFiles);
  if (entered) return true;
  if (--sandbox.visit.users == 0) End(sandbox);
  return Failure(entered.error());
}

// With the transition held.
void Visits::End(Sandbox& sandbox) {
  Sandbox::Visit& visit = sandbox.visit;
  if (!visit.memory) return;  // it was started or destroyed meanwhile
  const auto ended = core_.engine.EndVisit(sandbox.id());
  // The guest is there still, and the next one who comes finds it.
  if (!ended) {
    LogWarning("sandbox " + sandbox.id().text() + ": " + ended.error().ToString());
    return;
  }
  sandbox.SetGuest(std::nullopt);
  (void)core_.admission.Resize(*visit.memory, 0);
  visit.memory.reset();
}

void Visits::Leave(Sandbox& sandbox) {
  const std::lock_guard lock(sandbox.transition);
  sandbox.Leave();
  if (--sandbox.visit.users == 0) End(sandbox);
}

}  // namespace cay::sandbox
