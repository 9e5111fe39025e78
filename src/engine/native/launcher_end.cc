// The second half of Launcher: ends, what is seen from outside, and what an earlier launcher left.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "base/log.h"
#include "base/sys.h"
#include "engine/native/guest_socket.h"
#include "engine/native/launcher.h"
#include "engine/native/scratch.h"
#include "engine/native/spawn.h"

namespace cay::engine::native {
namespace {

// Longer than any process takes to die that is not stuck in the kernel.
constexpr int kDeathPatienceMs = 30'000;

// Longer than a sandbox takes to die by itself. After it, it is helped.
constexpr int kPromptDeathMs = 20;

// Of all sandboxes that are to be adopted together.
constexpr Millis kClaimPatience(1000);
constexpr Millis kClaimPause(5);

// Destroyed sandboxes whose resources are still to be given back, at most.
constexpr size_t kMaxDoomed = 256;

bool IsReadable(const Fd& fd, int timeout_ms) {
  pollfd poller{.fd = fd.get(), .events = POLLIN, .revents = 0};
  int ready = -1;
  do {
    ready = ::poll(&poller, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

// The process that listens on the guest's socket: SO_PEERCRED of a connection is what listen(2)
// noted.
Result<Fd> OpenListener(const Fd& connection) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
    return Failure(Error::FromErrno("asking who the guest is"));
  }
  return sys::PidfdOpen(peer.pid);
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
  const auto stats =
      sandbox.cgroup ? sandbox.cgroup->ReadStats() : Result<CgroupStats>(CgroupStats{});
  if (exit.reason != ExitReason::kExited && stats && stats->oom_kills.value_or(0) > 0) {
    exit.reason = ExitReason::kOomKilled;
  }
  sandbox.exit = exit;
  sandbox.pidfd.reset();
  sandbox.mount_namespace.reset();
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
    if (sandbox.state == State::kPaused && sandbox.cgroup) TRY(sandbox.cgroup->Thaw());
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
  sandbox.exit = {.reason = ExitReason::kStopped};
  return {};
}

// Gives everything back. Each step goes on where another failed: what remains is found by gc,
// because the directory, which goes last, remains too.
void Launcher::Discard(Sandbox sandbox) {
  bool clean = true;
  const auto note = [&](const Result<void>& result) {
    if (result) return;
    clean = false;
    LogWarning("giving a sandbox's resources back: " + result.error().message());
  };
  if (sandbox.cgroup) {
    if (!sandbox.cgroup->Remove(Millis(0))) dying_cgroups_.push_back(std::move(*sandbox.cgroup));
  }
  if (sandbox.record.id_range && ids_) note(ids_->Free(*sandbox.record.id_range));
  std::vector<Fd> spent;
  if (clean) {
    auto unlinked = std::move(sandbox.dir).Unlink({kScratchImageName});
    if (unlinked) spent = *std::move(unlinked);
    note(unlinked ? Result<void>() : Failure(unlinked.error()));
  }
  if (sandbox.scratch_mount) spent.push_back(std::move(*sandbox.scratch_mount));
  if (sandbox.mount_namespace) spent.push_back(std::move(*sandbox.mount_namespace));
  // A launcher of one sandbox has nothing to do but this.
  if (!options_.one_shot) janitor_.LetGo(std::move(spent));
}

void Launcher::DiscardOldest() {
  Sandbox sandbox = std::move(doomed_.front());
  doomed_.pop_front();
  Discard(std::move(sandbox));
}

bool Launcher::CleanUp() {
  if (!doomed_.empty()) {
    DiscardOldest();
    return true;
  }
  if (dying_cgroups_.empty()) return false;
  Cgroup cgroup = std::move(dying_cgroups_.front());
  dying_cgroups_.pop_front();
  if (auto removed = cgroup.Remove(); !removed) LogWarning(removed.error().message());
  return true;
}

Result<void> Launcher::Destroy(const SandboxId& id) {
  Sandbox* sandbox = TRY(Find(id));
  TRY(EndGuest(*sandbox, Ending::kForGood));
  // Whatever happens to us now, no other launcher takes it over.
  if (sandbox->record.request.lifetime == Lifetime::kPersistent) TRY(sandbox->dir.DropRecord());
  // Nothing of it runs any more. To give its resources back can wait for a moment without requests,
  // if not too long.
  doomed_.push_back(std::move(sandboxes_.extract(id).mapped()));
  if (doomed_.size() > kMaxDoomed) DiscardOldest();
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
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "an ordinary user's sandbox has its files in memory, and they end with it")
                       .WithRemedy("run as root, or pause it"));
  }
  TRY(EndGuest(*sandbox, Ending::kToStartAgain));
  // Unmounts the image, here and now: it must not be mounted twice. A tmpfs stays as long as this
  // launcher.
  sandbox->mount_namespace.reset();
  if (sandbox->record.scratch == Scratch::kDisk) sandbox->scratch_mount.reset();
  sandbox->state = State::kStopped;
  sandbox->record.stopped = true;
  sandbox->record.paused = false;
  return sandbox->dir.WriteRecord(sandbox->record);
}

Result<Stats> Launcher::GetStats(const SandboxId& id) {
  Sandbox* sandbox = TRY(Find(id));
  Stats stats;
  if (sandbox->cgroup) stats = ToStats(TRY(sandbox->cgroup->ReadStats()));
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
  if (sandbox->state != State::kRunning) {
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

Result<Exit> Launcher::GetExit(const SandboxId& id) { return TRY(Find(id))->exit; }

Result<std::vector<SandboxStatus>> Launcher::List() {
  std::vector<SandboxStatus> list;
  for (auto& [id, sandbox] : sandboxes_) {
    NoteExit(sandbox);
    list.push_back(Describe(sandbox.record, sandbox.state));
  }
  return list;
}

void Launcher::LetGoOfAhead() {
  scratch_maker_.LetGo();
  if (!dir_ahead_) return;
  const auto removed = std::move(*dir_ahead_).Remove();
  if (!removed) LogWarning(removed.error().message());
  dir_ahead_.reset();
}

Launcher::~Launcher() {
  while (CleanUp()) {
  }
  if (!lease_) return;
  LetGoOfAhead();
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
          .limits = record.request.limits};
}

Result<Launcher::Sandbox> Launcher::Adopt(const SandboxId& id, SandboxDir dir) {
  Record record = TRY(dir.ReadRecord(id));
  Sandbox sandbox(std::move(record), std::move(dir));
  sandbox.state = State::kStopped;
  if (sandbox.record.id_range && ids_) TRY(ids_->Retake(*sandbox.record.id_range, id));
  auto cgroup = cgroups_.Open(id);
  if (cgroup) sandbox.cgroup = std::move(*cgroup);
  sandbox.adopted = true;
  if (sandbox.record.stopped) return sandbox;
  sandbox.state = State::kFailed;
  sandbox.exit.reason = ExitReason::kUnknown;
  // A crash may have come between the note that it is paused and the socket's other name.
  auto connection = ConnectToGuest(sandbox.dir.dir(), Millis(0));
  if (!connection && sandbox.record.paused) {
    connection = ConnectToGuest(sandbox.dir.dir(), Millis(0), GuestSocketName::kPaused);
  }
  if (connection) {
    sandbox.pidfd = TRY(OpenListener(*connection));
    sandbox.state = sandbox.record.paused ? State::kPaused : State::kRunning;
    sandbox.exit = {};
  }
  return sandbox;
}

// The last copies of a dead launcher's locks go with a child that it was just making, which ends when it notices.
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
    const auto record = SandboxDir::ReadRecordOf(directory, id);
    if (!record || record->request.lifetime != Lifetime::kPersistent) continue;
    auto dir = ClaimFromTheDead(id, patience);
    if (!dir && dir.error().code() == ErrorCode::kNotFound) continue;
    auto adopted = dir ? Adopt(id, std::move(*dir)) : Failure(dir.error());
    if (!adopted) {
      LogWarning("cannot take over sandbox " + id.text() + ": " + adopted.error().message());
      continue;
    }
    sandboxes_.emplace(id, std::move(*adopted));
  }
  return {};
}

}  // namespace cay::engine::native
