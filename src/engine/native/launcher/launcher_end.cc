// The second part of Launcher: ends, and what is seen from outside.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/os/log.h"
#include "base/os/sys.h"
#include "engine/native/ids/userns.h"
#include "engine/native/ipc/guest_socket.h"
#include "engine/native/launcher/launcher.h"
#include "engine/native/launcher/remains.h"
#include "engine/native/network/open_network.h"
#include "engine/native/rootfs/scratch.h"
#include "engine/native/spawn/spawn.h"
#include "volume/disk/loop_device.h"

namespace cay::engine::native {
namespace {

// Longer than any process takes to die that is not stuck in the kernel.
constexpr int kDeathPatienceMs = 30'000;

// Longer than a sandbox takes to die by itself. After it, it is helped.
constexpr int kPromptDeathMs = 20;

// For the kernel to be done with the group of a sandbox whose processes have died: so often, so
// long each time.
constexpr int kMaxBusyTries = 50;
constexpr Millis kBusyPatience(100);

bool IsReadable(const Fd& fd, int timeout_ms) {
  pollfd poller{.fd = fd.get(), .events = POLLIN, .revents = 0};
  int ready = -1;
  do {
    ready = ::poll(&poller, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

Bytes DiskUsed(const Fd& sandbox_dir) {
  struct stat info{};
  if (::fstatat(sandbox_dir.get(), kScratchImageName, &info, AT_SYMLINK_NOFOLLOW) < 0) return 0;
  return static_cast<Bytes>(info.st_blocks) * 512;
}

}  // namespace

void Launcher::NoteExit(Sandbox& sandbox) {
  if (!sandbox.pidfd || !IsReadable(*sandbox.pidfd, 0)) return;
  Exit exit{.reason = ExitReason::kUnknown};
  if (!sandbox.adopted) {
    if (const auto reaped = Reap(*sandbox.pidfd)) {
      const bool exited = reaped->code == CLD_EXITED;
      exit.reason = exited ? ExitReason::kExited : ExitReason::kSignalled;
      (exited ? exit.exit_code : exit.signal) = reaped->status;
    }
  }
  const auto stats = sandbox.cgroup ? sandbox.cgroup->ReadStats() : Result<Stats>(Stats{});
  if (exit.reason != ExitReason::kExited && stats && stats->oom_kills.value_or(0) > 0) {
    exit.reason = ExitReason::kOomKilled;
  }
  sandbox.pidfd.reset();
  sandbox.mount_namespace.reset();
  if (sandbox.state == State::kStopped) return;  // only visited; what is left of it is EndVisit's
  sandbox.exit = exit;
  sandbox.state = State::kFailed;
}

// The guest may owe processor time to its limit, and would not die before it is paid.
bool Launcher::AwaitDeath(Sandbox& sandbox, Ending ending) {
  if (IsReadable(*sandbox.pidfd, kPromptDeathMs)) return true;
  if (sandbox.cgroup) {
    const bool for_good = ending == Ending::kForGood;
    const auto helped = for_good ? sandbox.cgroup->KillAll() : sandbox.cgroup->LiftCpus();
    if (!helped) LogWarning(helped.error().message());
  }
  return IsReadable(*sandbox.pidfd, kDeathPatienceMs);
}

Result<void> Launcher::EndGuest(Sandbox& sandbox, Ending ending) {
  if (sandbox.pidfd) {
    // ESRCH: it is dead and only waits to be reaped.
    if (auto sent = sys::PidfdSendSignal(*sandbox.pidfd, SIGKILL);
        !sent && sent.error().sys_errno() != ESRCH) {
      return sent;
    }
    // What v1's freezer holds does not die before it is thawed.
    if ((sandbox.state == State::kPaused || sandbox.still) && sandbox.cgroup)
      TRY(sandbox.cgroup->Thaw());
    sandbox.still = false;
    // The end of a pid namespace's first process is the end of all: zap_pid_ns_processes waits for
    // them.
    if (!AwaitDeath(sandbox, ending)) {
      return Failure(
          Error(ErrorCode::kTimeout, Fault::kMachine, "the sandbox's processes do not die")
              .WithRemedy("one of them hangs in the kernel, most often on a disk: see dmesg"));
    }
    if (!sandbox.adopted) TRY(Reap(*sandbox.pidfd));
    sandbox.pidfd.reset();
  }
  // That the guest is the one who answered its socket to us is only the guest's word.
  const bool had_guest = sandbox.state != State::kStopped || sandbox.record.visited;
  if (sandbox.adopted && had_guest) TRY(EndAdopted(sandbox));
  sandbox.exit = {.reason = ExitReason::kStopped};
  return {};
}

// Everything of one that was taken over: what its launcher had seen dead is no longer known.
Result<void> Launcher::EndAdopted(Sandbox& sandbox) {
  Remains remains{.id = sandbox.record.request.id, .cgroup = {}, .id_ranges = {}};
  if (sandbox.cgroup) remains.cgroup = std::move(*std::exchange(sandbox.cgroup, std::nullopt));
  if (sandbox.unseen && sandbox.record.id_range) remains.id_ranges = {*sandbox.record.id_range};
  if (sandbox.unseen && !remains.any()) return Failure(NothingLeadsToIt());
  const auto ended = EndRemains(remains, Millis(kDeathPatienceMs));
  if (!ended)
    sandbox.cgroup = std::move(remains.cgroup);
  else
    sandbox.unseen = false;
  return ended;
}

// Gives everything back, the groups first: that they can be removed is what shows that nothing of
// it runs. A range of ids that somebody still has must not be the next sandbox's.
void Launcher::Discard(Sandbox sandbox, Millis patience) {
  const auto removed = sandbox.cgroup ? sandbox.cgroup->Remove(patience) : Result<void>{};
  if (removed) {
    sandbox.cgroup.reset();
    GiveBack(std::move(sandbox));
  } else if (++sandbox.busy_tries < kMaxBusyTries) {
    busy_.push_back(std::move(sandbox));
  } else {
    // Directory and range remain: gc's, as after a crash.
    LogWarning("giving back sandbox " + sandbox.record.request.id.text() + ": " +
               removed.error().message());
  }
}

// Each step goes on where another failed: what remains is found by gc, because the directory, which
// goes last, remains too.
void Launcher::GiveBack(Sandbox sandbox) {
  bool clean = true;
  const auto note = [&](const Result<void>& result) {
    if (result) return;
    clean = false;
    LogWarning("giving a sandbox's resources back: " + result.error().message());
  };
  if (sandbox.record.id_range && ids_) {
    note(ids_->Free(*sandbox.record.id_range, sandbox.record.request.id.text()));
  }
  std::vector<Fd> spent;
  if (clean) {
    auto unlinked = std::move(sandbox.dir).Unlink({kScratchImageName});
    if (unlinked) {
      spent = *std::move(unlinked);
    } else {
      note(Failure(unlinked.error()));
    }
  }
  // One of several launchers looks after the machine's.
  const bool had_loops = sandbox.loop_device || !sandbox.record.request.volumes.empty();
  if (had_loops && !options_.one_shot && options_.share.number == 0) loops_spent_ = true;
  if (sandbox.scratch_mount) spent.push_back(std::move(*sandbox.scratch_mount));
  if (sandbox.mount_namespace) spent.push_back(std::move(*sandbox.mount_namespace));
  LetGoLater(std::move(spent));
}

bool Launcher::CleanUp() {
  std::deque<Sandbox>& from = doomed_.empty() ? busy_ : doomed_;
  if (from.empty()) return false;
  const Millis patience = &from == &busy_ ? kBusyPatience : Millis(0);
  Sandbox sandbox = std::move(from.front());
  from.pop_front();
  Discard(std::move(sandbox), patience);
  return true;
}

bool Launcher::IsDoomed(const SandboxId& id) const {
  const auto is_it = [&](const Sandbox& sandbox) { return sandbox.record.request.id == id; };
  return std::ranges::any_of(doomed_, is_it) || std::ranges::any_of(busy_, is_it);
}

Result<void> Launcher::Destroy(const SandboxId& id) {
  const auto found = Find(id);
  if (!found) return IsDoomed(id) ? Failure(found.error()) : DestroyUnowned(id);
  Sandbox* sandbox = *found;
  TRY(EndGuest(*sandbox, Ending::kForGood));
  // Whatever happens to us now, no other launcher takes it over, and its volumes are free. Where
  // that cannot be written it is destroyed all the same.
  const bool has_volumes = !sandbox->record.request.volumes.empty();
  if (sandbox->record.request.lifetime == Lifetime::kPersistent || has_volumes) {
    if (const auto marked = sandbox->dir.MarkDestroyed(); !marked)
      LogWarning("sandbox " + id.text() + ": " + marked.error().message());
  }
  // What mounts its volumes goes at once: the next create may want them, and waits for that.
  if (has_volumes && sandbox->mount_namespace) {
    std::vector<Fd> spent;
    spent.push_back(*std::exchange(sandbox->mount_namespace, std::nullopt));
    LetGoLater(std::move(spent));
  }
  // Nothing of it runs any more. To give its resources back can wait for a moment without requests,
  // if not too long.
  doomed_.push_back(std::move(sandboxes_.extract(id).mapped()));
  return {};
}

Result<void> Launcher::Stop(const SandboxId& id) {
  Sandbox* sandbox = TRY(Find(id));
  if (sandbox->state == State::kStopped) {
    return Failure(
        Error(ErrorCode::kIllegalState, Fault::kCaller, "the sandbox is stopped already"));
  }
  if (sandbox->record.request.lifetime == Lifetime::kEphemeral) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "an ephemeral sandbox has nothing to start again from: destroy it"));
  }
  if (!ids_) {
    return Failure(
        Error(
            ErrorCode::kNotSupported, Fault::kMachine,
            "an ordinary user's sandbox has its files in memory, where they are lost when it stops")
            .WithRemedy("run as root, or pause it"));
  }
  // Before the deed: a disk that has no room for it leaves the sandbox as it is.
  Record next = sandbox->record;
  next.stopped = true;
  next.paused = next.visited = false;
  TRY(sandbox->dir.PrepareRecord(next));
  TRY(EndGuest(*sandbox, Ending::kToStartAgain));
  LetGoOfFiles(*sandbox);
  sandbox->state = State::kStopped;
  Commit(*sandbox, std::move(next));
  return {};
}

Result<Stats> Launcher::GetStats(const SandboxId& id) {
  Sandbox* sandbox = TRY(Find(id));
  Stats stats;
  if (sandbox->cgroup) stats = TRY(sandbox->cgroup->ReadStats());
  struct statvfs info{};
  if (sandbox->record.scratch == Scratch::kDisk) {
    stats.disk = DiskUsed(sandbox->dir.dir());
  } else if (sandbox->scratch_mount && ::fstatvfs(sandbox->scratch_mount->get(), &info) == 0) {
    stats.disk = (info.f_blocks - info.f_bfree) * info.f_frsize;
  }
  return stats;
}

Result<Fd> Launcher::Connect(const SandboxId& id) {
  Sandbox* sandbox = TRY(Find(id));
  const bool visited = sandbox->state == State::kStopped && sandbox->pidfd;
  if (sandbox->state != State::kRunning && !visited) {
    return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                         "the sandbox is " + std::string(StateName(sandbox->state))));
  }
  return ConnectToGuest(sandbox->dir.dir(), Millis(0));
}

Result<Fd> Launcher::Watch(const SandboxId& id) {
  Sandbox* sandbox = TRY(Find(id));
  if (sandbox->pidfd) return sandbox->pidfd->Duplicate();
  return Failure(
      Error(ErrorCode::kIllegalState, Fault::kCaller,
            "the sandbox is " + std::string(StateName(sandbox->state)) + ": nothing to watch"));
}

// No copy of what it gives is kept here: it ends with whoever has it.
Result<NetworkSockets> Launcher::OpenNetworkOf(const Fd& pidfd) {
  network_opened_ = true;
  return native::OpenNetwork(pidfd, netns_ ? &*netns_ : nullptr);
}

Result<NetworkSockets> Launcher::OpenNetwork(const SandboxId& id) {
  return OpenNetworkOf(*TRY(FindIn(id, {State::kRunning}))->pidfd);
}

// What a sandbox has written, by whoever mounted it.
Result<Launcher::Scratched> Launcher::ScratchToRead(Sandbox& sandbox) {
  const Record& record = sandbox.record;
  if (sandbox.scratch_of_user) {
    Fd mount = TRY(sandbox.scratch_of_user->Duplicate());
    return Scratched{.mount = std::move(mount), .id_offset = int64_t{::geteuid()} - kUserId};
  }
  if (sandbox.scratch_mount && record.id_range) {
    Fd mount = TRY(sandbox.scratch_mount->Duplicate());
    return Scratched{.mount = std::move(mount), .id_offset = record.id_range->base()};
  }
  if (record.scratch == Scratch::kDisk) {
    Fd scratch = TRY(MountScratchToRead(sandbox.dir.dir(), sandbox.loop_device));
    sandbox.loop_device = volume::LoopDeviceOf(scratch);
    return Scratched{.mount = std::move(scratch), .id_offset = 0};
  }
  return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                       "what the sandbox wrote is in memory, which only the program that made it "
                       "can reach")
                     .WithRemedy("read its files instead"));
}

Result<WrittenLayers> Launcher::OpenWritten(const SandboxId& id) {
  Sandbox& sandbox = *TRY(Find(id));
  const Scratched scratch = TRY(ScratchToRead(sandbox));
  const CreateRequest& request = sandbox.record.request;
  auto uppers = TRY(OpenUppers(scratch.mount, HostLayersOf(request.root).overlays.size()));
  return WrittenLayers{.uppers = std::move(uppers),
                       .id_offset = scratch.id_offset,
                       .root = request.root,
                       .hostname = request.hostname};
}

Result<Exit> Launcher::GetExit(const SandboxId& id) { return TRY(Find(id))->exit; }

Result<std::vector<SandboxStatus>> Launcher::List() {
  std::vector<SandboxStatus> list;
  for (auto& [id, sandbox] : sandboxes_) {
    NoteExit(sandbox);
    list.push_back(Describe(sandbox.record, sandbox.state));
  }
  return list;
}

Launcher::~Launcher() {
  for (const auto& [id, sandbox] : sandboxes_)
    if (sandbox.still) (void)GoOn(SandboxId(id));
  while (CleanUp()) {
  }
  if (!lease_) return;
  LetGoOfAllAhead();
  std::move(*lease_).GiveBack(cgroups_);
}

void Launcher::DestroyEphemeral() {
  for (auto next = sandboxes_.begin(); next != sandboxes_.end();) {
    const auto current = next++;
    if (current->second.record.request.lifetime != Lifetime::kEphemeral) continue;
    if (auto destroyed = Destroy(SandboxId(current->first)); !destroyed) {
      LogWarning(destroyed.error().message());
    }
  }
}

SandboxStatus Describe(const Record& record, State state) {
  return {.id = record.request.id,
          .state = state,
          .lifetime = record.request.lifetime,
          .label = record.request.label,
          .created_unix_ms = record.created_unix_ms,
          .limits = record.request.limits,
          .guest_protocol = record.guest_protocol,
          .layers = LayersOf(record.request.root),
          .volumes = record.request.volumes};
}

}  // namespace cay::engine::native
