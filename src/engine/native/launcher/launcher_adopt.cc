// The third part of Launcher: what an earlier launcher left.

#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/ipc/guest_socket.h"
#include "engine/native/launcher/launcher.h"
#include "engine/native/launcher/remains.h"

namespace cay::engine::native {
namespace {

// Of all sandboxes that are to be adopted together.
constexpr Millis kClaimPatience(1000);
constexpr Millis kClaimPause(5);

// Longer than any process takes to die that is not stuck in the kernel. It is waited for by each
// way that leads to one, and all of that is one request (NativeEngineOptions::patience).
constexpr Millis kRemainsPatience(10'000);

}  // namespace

Result<Launcher::Sandbox> Launcher::Adopt(const SandboxId& id, SandboxDir dir) {
  Record record = TRY(dir.ReadRecord(id));
  Sandbox sandbox(std::move(record), std::move(dir));
  sandbox.state = State::kStopped;
  if (sandbox.record.id_range && ids_) TRY(ids_->Retake(*sandbox.record.id_range, id));
  auto cgroup = cgroups_.Open(id);
  if (!cgroup && cgroup.error().code() != ErrorCode::kNotFound) return Failure(cgroup.error());
  if (cgroup) sandbox.cgroup = std::move(*cgroup);
  sandbox.adopted = true;
  if (sandbox.record.stopped && !sandbox.record.visited) return sandbox;
  sandbox.state = State::kFailed;
  sandbox.exit.reason = ExitReason::kUnknown;
  // A crash may have come between the note that it is paused and the socket's other name.
  auto connection = ConnectToGuest(sandbox.dir.dir(), Millis(0));
  if (!connection && sandbox.record.paused) {
    connection = ConnectToGuest(sandbox.dir.dir(), Millis(0), GuestSocketName::kPaused);
  }
  if (connection) {
    sandbox.pidfd = TRY(OpenGuest(*connection));
    sandbox.state = sandbox.record.paused ? State::kPaused : State::kRunning;
    // Who held it still is gone.
    if (sandbox.state == State::kRunning && sandbox.cgroup && cgroups_.Has(Controller::kFreezer))
      TRY(sandbox.cgroup->Thaw());
    sandbox.exit = {};
  } else {
    // Nobody listens: it has ended, and its processes with it. Anything else says nothing of them.
    sandbox.unseen = connection.error().sys_errno() != ECONNREFUSED;
  }
  if (sandbox.record.stopped) sandbox.state = State::kStopped;
  return sandbox;
}

// The last copies of a dead launcher's locks go with a child that it was just making, which ends
// when it notices.
Result<SandboxDir> Launcher::ClaimFromTheDead(const SandboxId& id, Millis& patience) const {
  while (true) {
    auto dir = SandboxDir::Claim(options_.paths.sandboxes_dir(), id);
    if (dir || dir.error().code() != ErrorCode::kUnavailable || patience <= Millis(0)) return dir;
    ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kClaimPause).count()));
    patience -= kClaimPause;
  }
}

Result<void> Launcher::AdoptAll() {
  Millis patience = kClaimPatience;
  const std::string directory = options_.paths.sandboxes_dir();
  for (const SandboxId& id : TRY(SandboxDir::List(directory))) {
    if (!options_.share.Has(id)) continue;
    const Standing standing = SandboxDir::StandingOf(directory, id);
    if (standing != Standing::kUnpromised && standing != Standing::kKept) continue;
    auto dir = ClaimFromTheDead(id, patience);
    if (!dir && dir.error().code() == ErrorCode::kNotFound) continue;
    auto adopted = dir ? Adopt(id, std::move(*dir)) : Failure(dir.error());
    if (!adopted) {
      LogWarning("cannot take over sandbox " + id.text() + ": " + adopted.error().message());
      continue;
    }
    TakeOver(id, *std::move(adopted));
  }
  return {};
}

// Who visited it is gone with the last launcher.
void Launcher::TakeOver(const SandboxId& id, Sandbox adopted) {
  const bool visited = adopted.state == State::kStopped && adopted.record.visited;
  sandboxes_.emplace(id, std::move(adopted));
  if (!visited) return;
  if (const auto ended = EndVisit(id); !ended)
    LogWarning("sandbox " + id.text() + ": " + ended.error().message());
}

// One that is not in the table: an earlier launcher made it, and it could not be taken over because
// its record, or all of its directory, was lost or cannot be read.
Result<void> Launcher::DestroyUnowned(const SandboxId& id) {
  const std::string directory = options_.paths.sandboxes_dir();
  auto dir = SandboxDir::Claim(directory, id);
  if (!dir && dir.error().code() != ErrorCode::kNotFound) return Failure(std::move(dir).error());
  const bool led = TRY(EndUnowned(id, dir ? &dir->dir() : nullptr, cgroups_,
                                  ids_ ? &*ids_ : nullptr, kRemainsPatience));
  if (!dir) return led ? Result<void>{} : Failure(std::move(dir).error());
  if (!led && SandboxDir::StandingOf(directory, id) != Standing::kGarbage) {
    return Failure(NothingLeadsToIt());
  }
  return std::move(*dir).Remove();
}

// Its lock goes with it: whoever is told to may have it. One that could not be taken over is marked
// all the same.
Result<void> Launcher::Disown(const SandboxId& id) {
  Sandbox* sandbox = Find(id).value_or(nullptr);
  if (sandbox == nullptr) {
    return TRY(SandboxDir::Claim(options_.paths.sandboxes_dir(), id)).SetOrphaned(true);
  }
  if (sandbox->record.request.lifetime == Lifetime::kEphemeral) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "an ephemeral sandbox ends with its launcher"));
  }
  TRY(sandbox->dir.SetOrphaned(true));
  sandboxes_.erase(id);
  return {};
}

Result<void> Launcher::AdoptOrphan(const SandboxId& id) {
  const std::string directory = options_.paths.sandboxes_dir();
  if (sandboxes_.contains(id)) return {};
  if (SandboxDir::StandingOf(directory, id) != Standing::kOrphaned) {
    return Failure(
        Error(ErrorCode::kNotFound, Fault::kCaller, "there is no orphaned sandbox " + id.text()));
  }
  auto claimed = SandboxDir::Claim(directory, id);
  if (!claimed && claimed.error().code() == ErrorCode::kUnavailable) {
    // Of this sandbox alone; the code is what a launcher is known by that does not answer.
    return Failure(Error(ErrorCode::kIllegalState, Fault::kMachine, claimed.error().message()));
  }
  Sandbox sandbox = TRY(Adopt(id, TRY(std::move(claimed))));
  TRY(sandbox.dir.SetOrphaned(false));
  TakeOver(id, std::move(sandbox));
  return {};
}

}  // namespace cay::engine::native
