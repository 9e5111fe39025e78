#include "engine/native/launcher/launcher.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/os/disk_room.h"
#include "base/os/file.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/ipc/guest_socket.h"
#include "engine/native/launcher/volume_users.h"
#include "engine/native/record/request.h"
#include "engine/native/rootfs/inside_programs.h"
#include "engine/native/rootfs/own_names.h"
#include "engine/native/rootfs/rootfs.h"
#include "engine/native/rootfs/scratch.h"
#include "engine/native/rootfs/uppers_ahead.h"
#include "engine/native/rootfs/usual_places.h"
#include "engine/native/spawn/caller_state.h"
#include "engine/native/spawn/confine.h"
#include "engine/native/spawn/core_helper.h"
#include "engine/native/spawn/spawn.h"
#include "protocol/messages.h"
#include "volume/disk/ext4_image.h"
#include "volume/disk/loop_device.h"

namespace cay::engine::native {
namespace {

constexpr int kHighestReservedFd = 3;

// The guest gets descriptors 0 to 3. If none of ours has such a number, arranging them in the child
// cannot close what it still needs.
Result<void> ReserveDescriptors() {
  while (true) {
    Fd placeholder = TRY(sys::OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
    if (placeholder.get() > kHighestReservedFd) return {};
    [[maybe_unused]] const int kept = std::move(placeholder).Release();
  }
}

// A handful for each sandbox. What a sandbox may open is set for each (confine.h).
Result<void> AllowManyDescriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return Failure(Error::FromErrno("getrlimit"));
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) < 0) return Failure(Error::FromErrno("setrlimit"));
  return {};
}

// Owning files as the mapped root, or being the creator of its user namespace, must not cost
// capabilities.
Result<void> KeepCapabilitiesAcrossIds() {
  return sys::Prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, "setting securebits");
}

void Note(StageLaps& stage_us, Stage stage, Stopwatch& watch) {
  stage_us[static_cast<size_t>(stage)] = watch.Lap();
}

struct Check {
  LimitKind limit;
  std::string why_not;
};

}  // namespace

Launcher::Launcher(LauncherOptions options, CgroupTree cgroups, std::optional<IdRangeAllocator> ids,
                   std::optional<NetnsPool> netns, GuestEntry guest, CgroupLease lease,
                   ScratchMaker scratch_maker)
    : options_(std::move(options)),
      cgroups_(std::move(cgroups)),
      lease_(std::make_unique<CgroupLease>(std::move(lease))),
      ids_(std::move(ids)),
      netns_(std::move(netns)),
      guest_(std::move(guest)),
      scratch_maker_(std::move(scratch_maker)),
      staging_dir_(options_.paths.run_dir + "/staging") {}

Result<Launcher> Launcher::Open(LauncherOptions options) {
  TRY(ReserveDescriptors());
  TRY(AllowManyDescriptors());
  ShedCaller();
  AllowCoreLimit();
  TRY(MakeDirectories(options.paths.sandboxes_dir(), 0700));
  std::optional<LauncherLock> sole;
  if (options.sole) {
    auto lock = LauncherLock::Take(options.paths.state_dir, options.share);
    // Of a state directory that never had one, on a disk without room for it: there is nobody to
    // wait for.
    if (!lock && lock.error().code() != ErrorCode::kResourceExhausted) return Failure(lock.error());
    if (lock) sole = *std::move(lock);
  }
  ScratchMaker scratch_maker(options.paths.scratch_dir());
  CgroupLease lease = TRY(CgroupLease::Take(options.paths.state_dir));
  CgroupTree cgroups =
      TRY(CgroupTree::Discover({.name = CgroupParentName(options.paths.state_dir)}));
  std::optional<IdRangeAllocator> ids;
  std::optional<NetnsPool> netns;
  if (::geteuid() == 0) {
    TRY(KeepCapabilitiesAcrossIds());
    ids =
        TRY(IdRangeAllocator::Open(options.paths.run_dir, options.share.number, options.share.of));
    netns = TRY(NetnsPool::Open(options.netns_pool));
  }
  GuestEntry guest;
  if (ids) guest.run = options.guest;
  if (guest.run == nullptr) guest.image = TRY(MakeGuestImage());
  const bool adopt = !options.one_shot;
  Launcher launcher(std::move(options), std::move(cgroups), std::move(ids), std::move(netns),
                    std::move(guest), std::move(lease), std::move(scratch_maker));
  launcher.sole_ = std::move(sole);
  if (auto setting = sys::OpenAt(AT_FDCWD, "/proc/sys/fs/suid_dumpable", O_RDONLY)) {
    launcher.suid_dumpable_ = *std::move(setting);
  }
  TRY(MakeDirectories(launcher.staging_dir_, 0700));
  if (launcher.options_.disk_ahead && WhyNoDiskScratch().empty()) {
    TRY(launcher.scratch_maker_.Prepare(*launcher.options_.disk_ahead));
  }
  if (adopt) TRY(launcher.AdoptAll());
  return launcher;
}

Result<std::vector<NotEnforced>> Launcher::CheckEnforceable(const CreateRequest& request) const {
  std::vector<Check> checks = {{LimitKind::kMemory, cgroups_.WhyNot(Controller::kMemory)},
                               {LimitKind::kCpus, cgroups_.WhyNot(Controller::kCpu)}};
  // Without a pids controller, RLIMIT_NPROC counts for each user namespace as well, if only one
  // user is in it.
  if (ids_) checks.push_back({LimitKind::kPids, cgroups_.WhyNot(Controller::kPids)});
  if (HighestOpenFiles() < request.limits.open_files) {
    checks.push_back({LimitKind::kOpenFiles, "this process may not open more than " +
                                                 std::to_string(HighestOpenFiles()) +
                                                 " files itself"});
  }
  std::vector<NotEnforced> not_enforced;
  for (Check& check : checks) {
    if (check.why_not.empty()) continue;
    if (request.required.Contains(check.limit) && !request.best_effort) {
      return Failure(Error(ErrorCode::kNotEnforceable, Fault::kCaller,
                           "the " + std::string(LimitName(check.limit)) +
                               " limit cannot be enforced here: " + check.why_not)
                         .WithRemedy("mend that, or accept a sandbox without it: " +
                                     Remedy(Action::kAcceptWeaker)));
    }
    not_enforced.push_back({check.limit, std::move(check.why_not)});
  }
  return not_enforced;
}

Result<Scratch> Launcher::ChooseScratch(const CreateRequest& request) const {
  if (request.scratch == Scratch::kMemory) return Scratch::kMemory;
  const std::string why_not = WhyNoDiskScratch();
  if (why_not.empty()) return Scratch::kDisk;
  if (request.scratch == Scratch::kAuto) return Scratch::kMemory;
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "a writable layer on disk is not possible here: " + why_not)
                     .WithRemedy("ask for a layer in memory: " + Remedy(Action::kScratchInMemory)));
}

Result<void> Launcher::CheckVolumes(const CreateRequest& request) {
  const std::string why_not = request.volumes.empty() ? std::string() : volume::WhyNoImages();
  if (why_not.empty()) return {};
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "volumes are not possible here: " + why_not));
}

// Everything but processes and the writable layer. What was made before a failure is undone by
// Discard.
Result<void> Launcher::Prepare(Sandbox& sandbox, StageLaps& stage_us, Stopwatch& watch) {
  Record& record = sandbox.record;
  const SandboxId& id = record.request.id;
  if (!ids_ && record.request.privileges == Privileges::kRoot) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "an ordinary user's sandbox has one user, id 1000, and no root")
                       .WithRemedy("run it as root: sudo cay …"));
  }
  if (ids_) record.id_range = TRY(ids_->Take(id));
  if (record.request.lifetime == Lifetime::kPersistent) TRY(sandbox.dir.MarkUnpromised());
  TRY(sandbox.dir.WriteRecord(record));
  Note(stage_us, Stage::kPrepare, watch);
  TRY(MakeGroup(sandbox));
  Note(stage_us, Stage::kCgroup, watch);
  return {};
}

// With its limits. Not where there is no controller to limit anything with.
Result<void> Launcher::MakeGroup(Sandbox& sandbox) {
  const bool any_controller = cgroups_.Has(Controller::kMemory) || cgroups_.Has(Controller::kCpu) ||
                              cgroups_.Has(Controller::kPids);
  if (!any_controller) return {};
  const CreateRequest& request = sandbox.record.request;
  if (!sandbox.cgroup) sandbox.cgroup = TRY(cgroups_.Create(request.id));
  return sandbox.cgroup->Apply(request.limits);
}

Result<void> Launcher::MakeScratch(Sandbox& sandbox) {
  const Record& record = sandbox.record;
  if (sandbox.scratch_mount) return {};
  if (record.scratch == Scratch::kDisk) {
    const Limits& limits = record.request.limits;
    disk_ahead_ = limits;
    auto made = scratch_maker_.Take(limits);
    if (made && NameScratchImage(made->image, sandbox.dir.dir(), limits)) {
      sandbox.scratch_mount = std::move(made->mount);
    } else {
      TRY(MakeScratchImage(options_.paths.scratch_dir(), sandbox.dir.dir(), limits));
      TRY(MountScratch(sandbox));
    }
    sandbox.loop_device = volume::LoopDeviceOf(*sandbox.scratch_mount);
    return FurnishUpper(*sandbox.scratch_mount, record.request);
  }
  return MountScratch(sandbox);
}

Result<void> Launcher::MountScratch(Sandbox& sandbox) {
  if (!ids_) return {};  // the child makes its own
  const Record& record = sandbox.record;
  if (record.scratch == Scratch::kDisk) {
    sandbox.scratch_mount = TRY(MountScratchImage(sandbox.dir.dir()));
    sandbox.loop_device = volume::LoopDeviceOf(*sandbox.scratch_mount);
  } else if (!sandbox.scratch_mount) {
    sandbox.scratch_mount = TRY(
        MakeScratchTmpfs(record.request.limits,
                         static_cast<unsigned>(HostLayersOf(record.request.root).overlays.size()),
                         record.id_range->base()));
    const Fd upper = TRY(OpenUpperOfRoot(*sandbox.scratch_mount));
    const uid_t first = record.id_range->base();
    if (HostLayersOf(record.request.root).has_usual_places)
      TRY(MakeUsualPlaces(upper, first, kOpaqueOfRoot));
    TRY(WriteOwnNames(upper, record.request,
                      {.root = first, .owner = first + record.request.owner}));
  }
  return {};
}

// For an overlayfs that takes no detached layers: they are attached for a moment, in a mount
// namespace of our own.
Result<void> Launcher::BeginToAttachLayers() {
  TRY(sys::Unshare(CLONE_NEWNS));
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) < 0) {
    return Failure(Error::FromErrno("making mounts private"));
  }
  LetGoOfAllAhead();  // of another namespace now: its image could not be named
  attach_layers_ = true;
  return {};
}

// The program is looked through once, and not for each sandbox.
Result<std::string> Launcher::InsidePrograms() {
  const bool is_there = !inside_programs_.empty() && ::access(inside_programs_.c_str(), F_OK) == 0;
  if (!is_there)
    inside_programs_ = TRY(MakeInsidePrograms(options_.paths.inside_dir(), GuestProgram()));
  return inside_programs_;
}

Result<void> Launcher::SpawnGuest(Sandbox& sandbox, StageLaps& stage_us,
                                  std::optional<NetworkSockets>* network) {
  const Record& record = sandbox.record;
  SpawnPlan plan{.request = record.request,
                 .guest = guest_,
                 .sandbox_dir = sandbox.dir.dir(),
                 .staging_dir = staging_dir_};
  plan.cgroup = sandbox.cgroup ? &*sandbox.cgroup : nullptr;
  plan.netns = netns_ ? &*netns_ : nullptr;
  plan.scratch = [&]() -> Result<Fd*> {
    TRY(MakeScratch(sandbox));
    return &*sandbox.scratch_mount;
  };
  std::optional<ReadyNetwork> ready;
  if (network != nullptr) ready = TakeReadyNetwork();
  if (ready) {
    plan.into = &ready->netns;
    *network = std::move(ready->sockets);
  } else if (network != nullptr && netns_) {
    // An ordinary user's is entered by a child, through the user namespace of the guest.
    plan.meanwhile = [&](const Fd& pidfd) -> Result<void> {
      *network = TRY(OpenNetworkOf(pidfd));
      return {};
    };
  }
  plan.root_uid = record.id_range ? record.id_range->base() : ::geteuid();
  plan.single_user = !record.id_range;
  plan.limit_nproc = !cgroups_.Has(Controller::kPids);
  if (ids_ && suid_dumpable_) TRY(CheckSuidDumpable(*suid_dumpable_));
  if (ids_ && !attach_layers_ && OverlayIsOld()) {
    TRY(BeginToAttachLayers());
  }
  plan.attach_layers = attach_layers_;
  plan.idmap_scratch = record.scratch == Scratch::kDisk;
  if (record.request.privileges == Privileges::kRoot) plan.inside_programs = TRY(InsidePrograms());
  auto spawned = Spawn(plan, stage_us);
  if (!spawned && ids_ && !attach_layers_ && RefusesDetachedMounts(spawned.error())) {
    TRY(BeginToAttachLayers());
    plan.attach_layers = true;
    if (record.scratch == Scratch::kDisk) {
      sandbox.scratch_mount.reset();  // idmapped to a namespace that is gone
      TRY(MountScratch(sandbox));
    }
    spawned = Spawn(plan, stage_us);
  }
  if (!spawned) return Failure(std::move(spawned).error());
  sandbox.pidfd = std::move(spawned->pidfd);
  sandbox.mount_namespace = std::move(spawned->mount_namespace);
  sandbox.scratch_of_user = std::move(spawned->scratch);
  LetGoLater(std::move(spawned->layers));
  sandbox.state = State::kRunning;
  sandbox.exit = {};
  sandbox.adopted = false;
  return {};
}

Result<Created> Launcher::Create(const CreateRequest& request) {
  Created created;
  StageLaps stage_us{};
  Stopwatch watch;
  TRY(ValidateRequest(request));
  created.not_enforced = TRY(CheckEnforceable(request));
  created.scratch = TRY(ChooseScratch(request));
  created.single_user = !ids_.has_value();
  created.guest_protocol = protocol::kProtocolVersion;
  // Before there is anything of it: a disk that is full may have no room for its directory.
  if (created.scratch == Scratch::kDisk)
    TRY(CheckRoomFor(TRY(DiskRoomOf(options_.paths.sandboxes_dir())), request.limits.disk));
  TRY(CheckVolumes(request));
  // Until the record says so.
  std::vector<Fd> claims = TRY(ClaimVolumes(options_.paths.sandboxes_dir(), request.volumes));
  Sandbox sandbox({.request = request,
                   .id_range = std::nullopt,
                   .scratch = created.scratch,
                   .created_unix_ms = UnixMs(),
                   .guest_protocol = protocol::kProtocolVersion,
                   .format = FormatFor(request)},
                  TRY(MakeDir(request.id)));
  Result<void> made = Prepare(sandbox, stage_us, watch);
  claims.clear();
  if (made) made = SpawnGuest(sandbox, stage_us, request.network ? &created.network : nullptr);
  if (!made) {
    Discard(std::move(sandbox));
    return Failure(std::move(made).error());
  }
  created.stage_us = Named(stage_us);
  sandboxes_.emplace(request.id, std::move(sandbox));
  has_made_ = true;
  if (request.network && !created.network) {
    auto opened = OpenNetwork(request.id);
    if (!opened) {
      (void)Destroy(request.id);
      return Failure(std::move(opened).error());
    }
    created.network = *std::move(opened);
  }
  return WithGuest(std::move(created), request.id, &Launcher::Destroy);
}

Result<Created> Launcher::WithGuest(Created created, const SandboxId& id, Undo undo) {
  auto guest = Watch(id);
  if (!guest) {
    (void)(this->*undo)(id);
    return Failure(std::move(guest).error());
  }
  created.guest = *std::move(guest);
  return created;
}

Result<Launcher::Sandbox*> Launcher::Find(const SandboxId& id) {
  const auto found = sandboxes_.find(id);
  if (found == sandboxes_.end()) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller, "there is no sandbox " + id.text()));
  }
  NoteExit(found->second);
  return &found->second;
}

Result<Launcher::Sandbox*> Launcher::FindIn(const SandboxId& id,
                                            std::initializer_list<State> states) {
  Sandbox* sandbox = TRY(Find(id));
  if (std::ranges::find(states, sandbox->state) != states.end()) return sandbox;
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                       "the sandbox is " + std::string(StateName(sandbox->state)) + ", not " +
                           std::string(StateName(*states.begin()))));
}

// It is so, whether the record says it or not: where it does not, the next launcher finds a guest,
// or none.
void Launcher::Commit(Sandbox& sandbox, Record next) {
  sandbox.record = std::move(next);
  if (const auto committed = sandbox.dir.CommitRecord(sandbox.record.request.lifetime);
      !committed) {
    LogWarning("sandbox " + sandbox.record.request.id.text() + ": " + committed.error().message());
  }
}

Result<void> Launcher::Pause(const SandboxId& id) {
  Sandbox* sandbox = TRY(FindIn(id, {State::kRunning}));
  if (!sandbox->cgroup || !cgroups_.Has(Controller::kFreezer)) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kMachine,
              "sandboxes cannot be paused here: " + cgroups_.WhyNot(Controller::kFreezer)));
  }
  TRY(PreparePaused(*sandbox, true));
  // On disk first: a launcher that comes after us must not take a frozen guest for a running one.
  TRY(NotePaused(*sandbox, true));
  if (auto frozen = sandbox->cgroup->Freeze(); !frozen) {
    // It can be reached again, whether or not there is room to say so: who takes a paused one over
    // can resume it.
    sandbox->record.paused = false;
    TRY(RenameGuestSocket(sandbox->dir.dir(), GuestSocketName::kReachable));
    if (const auto noted = sandbox->dir.WriteRecord(sandbox->record); !noted)
      LogWarning("sandbox " + id.text() + ": " + noted.error().message());
    return frozen;
  }
  sandbox->state = State::kPaused;
  return {};
}

// On disk it runs: a launcher that comes after us lets it go on.
Result<void> Launcher::HoldStill(const SandboxId& id) {
  Sandbox* sandbox = TRY(FindIn(id, {State::kRunning}));
  if (!sandbox->cgroup || !cgroups_.Has(Controller::kFreezer)) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kMachine,
              "sandboxes cannot be held still here: " + cgroups_.WhyNot(Controller::kFreezer)));
  }
  TRY(sandbox->cgroup->Freeze());
  sandbox->still = true;
  return {};
}

Result<void> Launcher::GoOn(const SandboxId& id) {
  Sandbox* sandbox = TRY(Find(id));
  if (!sandbox->still) return {};
  if (sandbox->cgroup && sandbox->state == State::kRunning) TRY(sandbox->cgroup->Thaw());
  sandbox->still = false;
  return {};
}

Result<void> Launcher::Resume(const SandboxId& id) {
  Sandbox* sandbox = TRY(FindIn(id, {State::kPaused}));
  TRY(PreparePaused(*sandbox, false));
  TRY(sandbox->cgroup->Thaw());
  sandbox->state = State::kRunning;
  return NotePaused(*sandbox, false);
}

Result<void> Launcher::PreparePaused(const Sandbox& sandbox, bool paused) {
  Record next = sandbox.record;
  next.paused = paused;
  return sandbox.dir.PrepareRecord(next);
}

Result<void> Launcher::NotePaused(Sandbox& sandbox, bool paused) {
  TRY(sandbox.dir.CommitRecord(sandbox.record.request.lifetime));
  sandbox.record.paused = paused;
  return RenameGuestSocket(sandbox.dir.dir(),
                           paused ? GuestSocketName::kPaused : GuestSocketName::kReachable);
}

Result<void> Launcher::Update(const SandboxId& id, const Limits& limits) {
  Sandbox* sandbox = TRY(Find(id));
  const Limits& now = sandbox->record.request.limits;
  TRY(ValidateLimits(limits));
  if (limits.disk != now.disk || limits.inodes != now.inodes ||
      limits.open_files != now.open_files || FileSizeLimit(limits) != FileSizeLimit(now)) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "only memory, cpus and pids of a live sandbox can be changed"));
  }
  // What is stopped may have none: the machine was started anew, for instance.
  if (!sandbox->cgroup && sandbox->state == State::kStopped) TRY(MakeGroup(*sandbox));
  if (!sandbox->cgroup) {
    return Failure(Error(ErrorCode::kNotEnforceable, Fault::kMachine,
                         "limits cannot be changed here: " + cgroups_.WhyNot(Controller::kMemory)));
  }
  Record next = sandbox->record;
  next.request.limits = limits;
  TRY(sandbox->dir.PrepareRecord(next));
  TRY(sandbox->cgroup->Apply(limits));
  Commit(*sandbox, std::move(next));
  return {};
}

}  // namespace cay::engine::native
