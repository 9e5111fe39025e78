// The fourth part of Launcher: beginnings over what is there: another guest over the files of the
// last one, or over none.

#include <fcntl.h>

#include <utility>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/launcher/launcher.h"
#include "engine/native/record/request.h"
#include "engine/native/rootfs/scratch.h"
#include "engine/native/rootfs/uppers_ahead.h"
#include "protocol/messages.h"
#include "volume/disk/loop_device.h"

namespace cay::engine::native {

// What keeps its files from being what they were when its last guest ended.
Result<void> Launcher::CheckWhole(const Sandbox& sandbox) {
  if (sandbox.record.scratch == Scratch::kDisk) return CheckScratchWhole(sandbox.dir.dir());
  if (sandbox.scratch_mount) return {};
  return Failure(Error(ErrorCode::kIllegalState, Fault::kMachine,
                       "the sandbox's files were in memory, and are gone")
                     .WithRemedy("destroy it, and create another"));
}

// Of one whose guest ended by itself, or of which that is not even known: as Stop leaves it.
Result<void> Launcher::ClearAway(Sandbox& sandbox) {
  const Exit exit = sandbox.exit;
  TRY(EndGuest(sandbox, Ending::kToStartAgain));
  sandbox.exit = exit;
  sandbox.mount_namespace.reset();
  if (sandbox.record.scratch == Scratch::kDisk) sandbox.scratch_mount.reset();
  // What the group has counted was its last guest's.
  if (sandbox.cgroup) TRY(sandbox.cgroup->Remove());
  sandbox.cgroup.reset();
  return {};
}

// What a guest is started with, whose sandbox was made by an earlier program, or on a machine that
// had more to enforce with.
Result<Created> Launcher::CheckBeforeGuest(const Sandbox& sandbox) const {
  // The record may be of a program with other rules.
  TRY(ValidateRequest(sandbox.record.request));
  Created created;
  created.not_enforced = TRY(CheckEnforceable(sandbox.record.request));
  created.scratch = sandbox.record.scratch;
  created.stage_us = Named({});
  created.single_user = !ids_.has_value();
  created.guest_protocol = protocol::kProtocolVersion;
  return created;
}

// A guest over the files that are there. `next`: what the record says from then on.
Result<void> Launcher::BeginAgain(Sandbox& sandbox, Record next, StageLaps& stage_us) {
  Stopwatch watch;
  const bool on_disk = sandbox.record.scratch == Scratch::kDisk;
  if (on_disk) TRY(AwaitDetached(sandbox.dir.dir(), sandbox.loop_device));
  TRY(CheckWhole(sandbox));
  TRY(sandbox.dir.PrepareRecord(next));
  // Killing the last guest may have taken a limit away.
  TRY(MakeGroup(sandbox));
  stage_us[static_cast<size_t>(Stage::kCgroup)] = watch.Lap();
  TRY(MountScratch(sandbox));
  stage_us[static_cast<size_t>(Stage::kScratch)] = watch.Lap();
  if (auto spawned = SpawnGuest(sandbox, stage_us); !spawned) {
    if (on_disk) sandbox.scratch_mount.reset();
    return spawned;
  }
  Commit(sandbox, std::move(next));
  return {};
}

namespace {

Record WithGuestInRecord(Record record) {
  record.stopped = record.paused = record.visited = false;
  record.guest_protocol = protocol::kProtocolVersion;
  return record;
}

}  // namespace

Result<Created> Launcher::Start(const SandboxId& id) {
  Sandbox* sandbox = TRY(FindIn(id, {State::kStopped, State::kFailed}));
  Created created = TRY(CheckBeforeGuest(*sandbox));
  Record next = WithGuestInRecord(sandbox->record);
  TRY(sandbox->state == State::kFailed ? ClearAway(*sandbox) : EndSpentVisit(*sandbox));
  if (sandbox->pidfd) {
    // Visited: the guest that is there runs on, and whoever visits is not disturbed.
    next.guest_protocol = created.guest_protocol = sandbox->record.guest_protocol;
    TRY(sandbox->dir.PrepareRecord(next));
    Commit(*sandbox, std::move(next));
    sandbox->state = State::kRunning;
    sandbox->exit = {};
  } else {
    StageLaps stage_us{};
    TRY(BeginAgain(*sandbox, std::move(next), stage_us));
    created.stage_us = Named(stage_us);
  }
  return WithGuest(std::move(created), id, &Launcher::Stop);
}

// One whose guest ended by itself.
Result<void> Launcher::EndSpentVisit(Sandbox& sandbox) {
  if (!sandbox.record.visited || sandbox.pidfd) return {};
  return EndVisit(sandbox.record.request.id);
}

Result<Created> Launcher::Visit(const SandboxId& id) {
  Sandbox* sandbox = TRY(FindIn(id, {State::kStopped}));
  Created created = TRY(CheckBeforeGuest(*sandbox));
  if (!sandbox->pidfd) {
    Record next = WithGuestInRecord(sandbox->record);
    next.stopped = next.visited = true;
    TRY(EndSpentVisit(*sandbox));
    // Before there is a guest to be looked for.
    sandbox->record.visited = true;
    TRY(sandbox->dir.WriteRecord(sandbox->record));
    StageLaps stage_us{};
    TRY(BeginAgain(*sandbox, std::move(next), stage_us));
    created.stage_us = Named(stage_us);
    sandbox->state = State::kStopped;
  }
  created.guest_protocol = sandbox->record.guest_protocol;
  return WithGuest(std::move(created), id, &Launcher::EndVisit);
}

Result<void> Launcher::EndVisit(const SandboxId& id) {
  Sandbox* sandbox = TRY(FindIn(id, {State::kStopped}));
  if (!sandbox->record.visited) return {};
  TRY(EndGuest(*sandbox, Ending::kToStartAgain));
  LetGoOfFiles(*sandbox);
  Record next = sandbox->record;
  next.visited = false;
  // Where that cannot be written, the next launcher looks for a guest, and finds none.
  if (const auto prepared = sandbox->dir.PrepareRecord(next); !prepared) {
    LogWarning("sandbox " + id.text() + ": " + prepared.error().message());
    sandbox->record = std::move(next);
    return {};
  }
  Commit(*sandbox, std::move(next));
  return {};
}

// Unmounts the image, here and now: it must not be mounted twice. A tmpfs stays as long as this
// launcher.
void Launcher::LetGoOfFiles(Sandbox& sandbox) {
  sandbox.mount_namespace.reset();
  if (sandbox.record.scratch == Scratch::kDisk) sandbox.scratch_mount.reset();
}

// An empty layer for the place of the sandbox's; none where it is in memory.
Result<std::optional<UnnamedScratch>> Launcher::MakeFreshScratch(const Sandbox& sandbox,
                                                                 const CreateRequest& request) {
  if (sandbox.record.scratch != Scratch::kDisk) return std::nullopt;
  TRY(CheckScratchRoom(sandbox.dir.dir(), request.limits.disk));
  const Fd& home = sandbox.dir.dir();
  auto fresh = scratch_maker_.Take(request.limits);
  if (!fresh || !TRY(CanBeNamedIn(home, fresh->image))) {
    fresh = TRY(MakeUnnamedScratchIn(home, options_.paths.scratch_dir(), request.limits));
  }
  TRY(FurnishUpper(fresh->mount, request));
  return fresh;
}

// The old layer goes: unmounting and freeing it is the janitor's work.
Result<void> Launcher::ReplaceScratch(Sandbox& sandbox, std::optional<UnnamedScratch> fresh) {
  std::vector<Fd> spent;
  if (fresh) {
    auto old = sys::OpenAt(sandbox.dir.dir().get(), kScratchImageName, O_RDONLY | O_NOFOLLOW);
    if (old) spent.push_back(*std::move(old));  // one that was lost is what a reset mends
    TRY(ReplaceScratchImage(fresh->image, sandbox.dir.dir()));
  }
  if (sandbox.scratch_mount) spent.push_back(*std::exchange(sandbox.scratch_mount, std::nullopt));
  if (sandbox.mount_namespace)
    spent.push_back(*std::exchange(sandbox.mount_namespace, std::nullopt));
  if (fresh) {
    sandbox.scratch_mount = std::move(fresh->mount);
    sandbox.loop_device = volume::LoopDeviceOf(*sandbox.scratch_mount);
  }
  LetGoLater(std::move(spent));
  return {};
}

// What can fail for want of room comes before the end of what runs.
Result<Created> Launcher::Reset(const SandboxId& id, const std::optional<RootFilesystem>& root) {
  Sandbox* sandbox = TRY(FindIn(id, {State::kRunning, State::kFailed}));
  Created created = TRY(CheckBeforeGuest(*sandbox));
  Record next = WithGuestInRecord(sandbox->record);
  if (root) {
    TRY(CheckIsOfHostLayers(*root));
    next.request.root = *root;
    TRY(ValidateRequest(next.request));
  }
  std::optional<UnnamedScratch> fresh = TRY(MakeFreshScratch(*sandbox, next.request));
  TRY(sandbox->dir.PrepareRecord(next));
  TRY(EndGuest(*sandbox, Ending::kToStartAgain));
  sandbox->state = State::kFailed;
  sandbox->record.request.root = next.request.root;
  TRY(ReplaceScratch(*sandbox, std::move(fresh)));
  // What the group has counted was its last guest's.
  if (sandbox->cgroup) TRY(sandbox->cgroup->Remove());
  sandbox->cgroup.reset();
  TRY(MakeGroup(*sandbox));
  StageLaps stage_us{};
  if (auto spawned = SpawnGuest(*sandbox, stage_us); !spawned) {
    sandbox->scratch_mount.reset();
    return Failure(std::move(spawned).error());
  }
  created.stage_us = Named(stage_us);
  Commit(*sandbox, std::move(next));
  created.guest = TRY(Watch(id));
  return created;
}

}  // namespace cay::engine::native
