#include "engine/native/spawn/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/os/reap.h"
#include "base/os/sys.h"
#include "engine/native/ids/userns.h"
#include "engine/native/ipc/guest_socket.h"
#include "engine/native/rootfs/rootfs.h"
#include "engine/native/spawn/child.h"
#include "engine/native/spawn/core_helper.h"

namespace cay::engine::native {
namespace {

// A child that hangs on the host's disk must not stop the launcher for ever.
constexpr time_t kChildPatienceS = 20;

int64_t NowNs() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// A child of ours until it is handed on: otherwise it dies with this object.
class Child {
 public:
  Child(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    KillAndReap(pid_);  // not reaped yet: the number is still its own
  }
  pid_t pid() const { return pid_; }
  const Fd& pidfd() const { return pidfd_; }
  Fd HandOn() && {
    pid_ = -1;
    return std::move(pidfd_);
  }

 private:
  pid_t pid_;
  Fd pidfd_;
};

// While it lives the effective user is the sandbox's root as the host sees it: the creator of a
// user namespace is who its inotify instances, pending signals, namespaces … are counted against
// one level up. Without it every sandbox would share root's counts, and one could use them up for
// the host. Capabilities stay (see launcher.cc).
class CreatorId {
 public:
  static Result<CreatorId> Become(uid_t uid) {
    if (uid != 0 && ::seteuid(uid) < 0) return Failure(Error::FromErrno("seteuid"));
    return CreatorId(uid != 0);
  }
  CreatorId(CreatorId&& other) noexcept : changed_(std::exchange(other.changed_, false)) {}
  CreatorId(const CreatorId&) = delete;
  CreatorId& operator=(const CreatorId&) = delete;
  CreatorId& operator=(CreatorId&&) = delete;
  ~CreatorId() {
    if (changed_ && ::seteuid(0) < 0) std::abort();
  }

 private:
  explicit CreatorId(bool changed) : changed_(changed) {}
  bool changed_;
};

void Note(StageLaps& stage_us, Stage stage, Stopwatch& watch) {
  stage_us[static_cast<size_t>(stage)] = watch.Lap();
}

// EPERM says little. For an ordinary user it is about user namespaces; user_namespaces(7): also in
// a chroot, which `cay doctor` cannot tell.
Error WhyNoClone(const SpawnPlan& plan, const Error& error) {
  if (!plan.single_user || error.sys_errno() != EPERM) return error;
  return Error(ErrorCode::kPermissionDenied, Fault::kMachine,
               "this user cannot make user namespaces here")
      .WithRemedy("see: cay doctor; in a chroot no user can: leave it, or run as root");
}

std::vector<CgroupView> ViewsOf(const SpawnPlan& plan) {
  return plan.cgroup == nullptr ? std::vector<CgroupView>() : plan.cgroup->Views();
}

Result<Child> CloneChild(const SpawnPlan& plan, const std::vector<Fd>& cgroup_entrances,
                         const Fd& guest_socket, SocketPair& pair) {
  // Where the launcher builds the root filesystem it shows them, too.
  const std::vector<CgroupView> cgroups =
      plan.single_user ? ViewsOf(plan) : std::vector<CgroupView>();
  int pidfd = -1;
  clone_args args{};
  args.flags =
      CLONE_PIDFD | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
  if (plan.netns == nullptr) args.flags |= CLONE_NEWNET;
  if (plan.cgroup != nullptr && plan.cgroup->v2_dir()) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(*plan.cgroup->v2_dir());
  }
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const CreatorId creator = TRY(CreatorId::Become(plan.single_user ? 0 : plan.root_uid));
  const Result<pid_t> cloned = sys::Clone3(args);
  if (!cloned) return Failure(WhyNoClone(plan, cloned.error()));
  const pid_t pid = *cloned;
  if (pid == 0) {
    const Fd socket = std::move(pair.second);
    {
      const Fd launchers_end = std::move(pair.first);
    }
    RunChild({.request = plan.request,
              .guest = plan.guest,
              .guest_socket = guest_socket,
              .cgroup_entrances = cgroup_entrances,
              .cgroups = cgroups,
              .staging_dir = plan.staging_dir,
              .single_user = plan.single_user,
              .limit_nproc = plan.limit_nproc,
              .own_netns = plan.netns == nullptr,
              .die_with_parent = plan.request.lifetime == Lifetime::kEphemeral},
             socket);
  }
  return Child(pid, Fd::Adopt(pidfd));
}

// Socket and child are made inside the sandbox's network namespace.
Result<Child> CloneInside(const SpawnPlan& plan, SocketPair& pair, StageLaps& stage_us,
                          Stopwatch& watch) {
  std::vector<Fd> entrances;
  if (plan.cgroup != nullptr) entrances = TRY(plan.cgroup->OpenEntrances());
  Note(stage_us, Stage::kAttach, watch);
  if (plan.netns == nullptr) {
    const Fd guest_socket = TRY(BindGuestSocket(plan.sandbox_dir));
    auto child = CloneChild(plan, entrances, guest_socket, pair);
    Note(stage_us, Stage::kClone, watch);
    return child;
  }
  std::optional<Netns> taken;
  if (plan.into == nullptr) taken = TRY(plan.netns->Take());
  Note(stage_us, Stage::kNetns, watch);
  std::optional<Child> child;
  TRY(plan.netns->Inside(taken ? taken->fd : *plan.into, [&]() -> Result<void> {
    const Fd guest_socket = TRY(BindGuestSocket(plan.sandbox_dir));
    child.emplace(TRY(CloneChild(plan, entrances, guest_socket, pair)));
    return {};
  }));
  Note(stage_us, Stage::kClone, watch);
  return std::move(*child);
}

Result<void> MapIds(const SpawnPlan& plan, pid_t pid) {
  if (plan.single_user) {
    return WriteIdMaps(pid, {{kUserId, ::geteuid(), 1}}, {{kUserId, ::getegid(), 1}}, true);
  }
  const IdMapping all{0, plan.root_uid, 65'536};
  return WriteIdMaps(pid, {all}, {all}, false);
}

// How a child has ended, which stays to be reaped; nothing: it has not.
std::optional<Reaped> EndOf(const Fd& pidfd, int patience_ms) {
  pollfd poller{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  siginfo_t info{};
  if (::poll(&poller, 1, patience_ms) != 1) return std::nullopt;
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED | WNOWAIT) < 0)
    return std::nullopt;
  return Reaped{info.si_code, info.si_status};
}

// Of one that closed its end of the pair and said nothing.
Error LookAtSilence(const SpawnPlan& plan, const Fd& pidfd) {
  constexpr int kEndPatienceMs = 1000;
  const auto stats = plan.cgroup != nullptr ? plan.cgroup->ReadStats() : Result<Stats>(Stats{});
  return WhyNoGuest(EndOf(pidfd, kEndPatienceMs), stats && stats->oom_kills.value_or(0) > 0,
                    plan.request.limits.memory);
}

// The child's word, or what its silence means.
Result<void> ExpectConfined(const SpawnPlan& plan, const Fd& pidfd,
                            const std::optional<Packet>& packet) {
  if (packet && packet->type == PacketType::kConfined) return {};
  if (packet && packet->type == PacketType::kFailed) return Failure(DecodeError(packet->body));
  return Failure(LookAtSilence(plan, pidfd));
}

// Gives the layers of what it sent.
Result<std::vector<Fd>> SendMounts(const SpawnPlan& plan, const Fd& socket, pid_t pid,
                                   StageLaps& stage_us, Stopwatch& watch) {
  if (plan.single_user) {
    TRY(SendPacket(socket, PacketType::kMounts, {}));
    return std::vector<Fd>();
  }
  Fd* const scratch = TRY(plan.scratch());
  Note(stage_us, Stage::kScratch, watch);
  const Fd userns = TRY(OpenUserns(pid));
  RootfsOptions options;
  options.idmap_userns = userns.get();
  options.root_uid = plan.root_uid;
  options.staging_dir = plan.staging_dir;
  options.attach_layers = plan.attach_layers;
  options.idmap_scratch = plan.idmap_scratch;
  options.inside_programs = plan.inside_programs;
  options.cgroups = ViewsOf(plan);
  RootfsBuilder builder(options);
  const std::vector<PlacedMount> mounts = TRY(builder.Build(plan.request, *scratch));
  std::vector<const Fd*> fds;
  for (const PlacedMount& placed : mounts) fds.push_back(&placed.mount);
  TRY(SendPacket(socket, PacketType::kMounts, EncodePlaces(mounts), fds));
  return builder.TakeLayers();
}

struct Driven {
  Fd mount_namespace;
  std::vector<Fd> layers;
  std::optional<Fd> scratch;
};

// From the clone to the running guest.
Result<Driven> Drive(const SpawnPlan& plan, const Fd& socket, const Child& child,
                     StageLaps& stage_us, Stopwatch& watch) {
  const pid_t pid = child.pid();
  TRY(MapIds(plan, pid));
  TRY(SendPacket(socket, PacketType::kMapped, {}));
  Note(stage_us, Stage::kIdMap, watch);
  std::vector<Fd> layers = TRY(SendMounts(plan, socket, pid, stage_us, watch));
  Note(stage_us, Stage::kLayers, watch);
  const std::string namespaces = "/proc/" + std::to_string(pid) + "/ns/";
  Fd mount_namespace = TRY(sys::OpenAt(AT_FDCWD, (namespaces + "mnt").c_str(), O_RDONLY));
  if (plan.meanwhile) TRY(plan.meanwhile(child.pidfd()));
  std::optional<Packet> confined = TRY(ReceivePacket(socket));
  TRY(ExpectConfined(plan, child.pidfd(), confined));
  std::optional<Fd> scratch;
  if (!confined->fds.empty()) scratch = std::move(confined->fds.front());
  Note(stage_us, Stage::kConfine, watch);
  if (const auto packet = TRY(ReceivePacket(socket)))
    TRY(ExpectConfined(plan, child.pidfd(), packet));
  Note(stage_us, Stage::kExec, watch);
  return Driven{std::move(mount_namespace), std::move(layers), std::move(scratch)};
}

// The child's report of failure, if one waits to be read.
std::optional<Error> LastWord(const Fd& socket) {
  pollfd poller{.fd = socket.get(), .events = POLLIN, .revents = 0};
  if (::poll(&poller, 1, 0) != 1) return std::nullopt;
  const auto packet = ReceivePacket(socket);
  if (!packet || !*packet || (*packet)->type != PacketType::kFailed) return std::nullopt;
  return DecodeError((*packet)->body);
}

}  // namespace

Stopwatch::Stopwatch() : last_ns_(NowNs()) {}

uint32_t Stopwatch::Lap() {
  const int64_t now = NowNs();
  return static_cast<uint32_t>((now - std::exchange(last_ns_, now)) / 1000);
}

Result<Reaped> Reap(const Fd& pidfd) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) < 0) {
    if (errno != EINTR) return Failure(Error::FromErrno("waiting for the guest"));
  }
  return Reaped{info.si_code, info.si_status};
}

Error WhyNoGuest(const std::optional<Reaped>& end, bool oom_killed, Bytes memory) {
  const std::string died = "the new sandbox died before its guest could start";
  const bool killed = end && end->code != CLD_EXITED;
  if (killed && end->status == SIGKILL && oom_killed) {
    return Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                 died + ": its memory limit of " + FormatBytes(memory) + " was used up")
        .WithRemedy("give it more memory");
  }
  std::string how = ": nothing says why, and it has not ended";
  if (killed) {
    const char* const name = ::sigabbrev_np(end->status);
    how = ", killed by " +
          (name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(end->status));
  } else if (end) {
    how = ", with exit code " + std::to_string(end->status);
  }
  return Error(ErrorCode::kInternal, Fault::kMachine, died + how)
      .WithRemedy("see dmesg, and: cay doctor");
}

// Each time: the machine's pattern may change while a server runs.
Result<void> CheckCoreHelper() {
  const std::string why = WhyCoreHelperRuns(/*can_raise=*/false);
  if (why.empty()) return {};
  return Failure(
      Error(ErrorCode::kNotEnforceable, Fault::kMachine, "a sandbox would not be contained: " + why)
          .WithRemedy(std::string(kCoreHelperRemedy)));
}

Result<Spawned> Spawn(const SpawnPlan& plan, StageLaps& stage_us) {
  TRY(CheckCoreHelper());
  Stopwatch watch;
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const timeval patience{.tv_sec = kChildPatienceS, .tv_usec = 0};
  if (::setsockopt(pair.first.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) < 0) {
    return Failure(Error::FromErrno("setting a time limit"));
  }
  Child child = TRY(CloneInside(plan, pair, stage_us, watch));
  {
    const Fd childs_end = std::move(pair.second);
  }
  const Fd socket = std::move(pair.first);
  auto driven = Drive(plan, socket, child, stage_us, watch);
  if (!driven) {
    // What the child says of its own failure tells more than that it cannot be reached.
    if (auto last = LastWord(socket)) return Failure(std::move(*last));
    // Its end of the pair is gone, and it with it. Any other error is the launcher's own, or the
    // child's word.
    const int error = driven.error().sys_errno();
    if (error == EPIPE || error == ECONNRESET) return Failure(LookAtSilence(plan, child.pidfd()));
    return Failure(std::move(driven).error());
  }
  return Spawned{std::move(child).HandOn(), std::move(driven->mount_namespace),
                 std::move(driven->layers), std::move(driven->scratch)};
}

}  // namespace cay::engine::native
