#include "engine/native/spawn/child.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/os/process_title.h"
#include "base/os/sys.h"
#include "engine/native/ids/userns.h"
#include "engine/native/rootfs/attach.h"
#include "engine/native/rootfs/own_names.h"
#include "engine/native/rootfs/scratch.h"
#include "engine/native/rootfs/usual_places.h"
#include "engine/native/spawn/confine.h"
#include "engine/native/spawn/netns.h"

namespace cay::engine::native {
namespace {

constexpr int kGuestSocketFd = 3;
constexpr int kGuestBacklog = 64;

Result<void> Expect(const std::optional<Packet>& packet, PacketType type) {
  if (packet && packet->type == type) return {};
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the launcher is gone"));
}

// By itself, while the launcher writes its id maps: it is quicker than being moved, and takes no
// lock that others wait for.
Result<void> EnterCgroups(const ChildPlan& plan) {
  for (const Fd& entrance : plan.cgroup_entrances) {
    TRY(sys::Write(entrance, "0", "entering the sandbox's cgroup"));
  }
  return {};
}

Result<void> BecomeRootInside(const ChildPlan& plan) {
  const uid_t id = plan.single_user ? kUserId : 0;
  if (!plan.single_user && ::setgroups(0, nullptr) < 0)
    return Failure(Error::FromErrno("setgroups"));
  if (::setresgid(id, id, id) < 0) return Failure(Error::FromErrno("setresgid"));
  // Capabilities stay when the id is not 0, too: they are needed until Confine drops them.
  TRY(sys::Prctl(PR_SET_KEEPCAPS, 1, 0, "keeping capabilities"));
  if (::setresuid(id, id, id) < 0) return Failure(Error::FromErrno("setresuid"));
  return {};
}

std::vector<PlacedMount> DecodePlaces(std::string_view body, std::vector<Fd> fds) {
  std::vector<PlacedMount> mounts;
  for (Fd& fd : fds) {
    const size_t end = body.find('\0');
    if (end == std::string_view::npos || end == 0) break;
    mounts.push_back(
        {std::string(body.substr(1, end - 1)), static_cast<Place>(body.front()), std::move(fd)});
    body.remove_prefix(end + 1);
  }
  return mounts;
}

struct Built {
  std::vector<PlacedMount> mounts;
  std::optional<Fd> scratch;  // what the child itself has mounted
};

// An ordinary user's child builds what the launcher of root would have built.
Result<Built> BuildOwn(const ChildPlan& plan) {
  RootfsOptions options;
  options.in_user_namespace = true;
  options.staging_dir = plan.staging_dir;
  options.cgroups = plan.cgroups;
  Fd scratch = TRY(MakeScratchTmpfs(
      plan.request.limits, static_cast<unsigned>(HostLayersOf(plan.request.root).overlays.size()),
      kUserId));
  const Fd upper = TRY(OpenUpperOfRoot(scratch));
  if (HostLayersOf(plan.request.root).has_usual_places) {
    TRY(MakeUsualPlacesOfOne(upper, kUserId, kOpaqueOfUser));
  }
  TRY(WriteOwnNames(upper, plan.request, {.root = kUserId, .owner = kUserId}));
  options.attach_layers = OverlayIsOld();
  auto built = RootfsBuilder(options).Build(plan.request, scratch);
  if (!built && !options.attach_layers && RefusesDetachedMounts(built.error())) {
    options.attach_layers = true;
    built = RootfsBuilder(options).Build(plan.request, scratch);
  }
  return Built{TRY(std::move(built)), std::move(scratch)};
}

// Set after the last change of ids, which clears it. The launcher may have died before: then nobody
// would kill us.
Result<void> DieWithParent(const Fd& socket) {
  TRY(sys::Prctl(PR_SET_PDEATHSIG, SIGKILL, 0, "binding the guest's life to the launcher's"));
  pollfd poller{.fd = socket.get(), .events = POLLRDHUP, .revents = 0};
  if (::poll(&poller, 1, 0) != 0) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the launcher is gone"));
  }
  return {};
}

// Descriptors 0 to 2 are /dev/null, 3 the socket; the image and the pair close themselves when the
// guest is executed, and the guest closes them otherwise.
Result<void> ArrangeDescriptors(const ChildPlan& plan) {
  const Fd null = TRY(sys::OpenAt(AT_FDCWD, "/dev/null", O_RDWR));
  for (int target = 0; target <= STDERR_FILENO; ++target) {
    if (::dup2(null.get(), target) < 0) return Failure(Error::FromErrno("dup2"));
  }
  if (::dup2(plan.guest_socket.get(), kGuestSocketFd) < 0) return Failure(Error::FromErrno("dup2"));
  // Nothing else, whatever the launcher was started with.
  if (::close_range(kGuestSocketFd + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0) {
    return Failure(Error::FromErrno("close_range"));
  }
  // dup2 onto itself would keep close-on-exec.
  if (::fcntl(kGuestSocketFd, F_SETFD, 0) < 0) return Failure(Error::FromErrno("fcntl"));
  return {};
}

Result<void> StartGuest(const ChildPlan& plan) {
  std::string name = "cay-guest";
  if (plan.guest.run != nullptr) {
    // What execve would have taken away.
    TRY(sys::Prctl(PR_SET_KEEPCAPS, 0, 0, "keeping no capabilities"));
    BecomeNamed(name.c_str());
    plan.guest.run(plan.single_user, plan.request.privileges);
  }
  std::string kind = plan.single_user                               ? "--single-user"
                     : plan.request.privileges == Privileges::kRoot ? "--root"
                                                                    : "";
  std::array<char*, 3> argv = {name.data(), kind.empty() ? nullptr : kind.data(), nullptr};
  std::array<char*, 1> envp = {nullptr};
  if (const int injected = sys::TakeFault(sys::Call::kExecveAt); injected != 0) {
    return Failure(Error::FromErrno("executing the guest", injected));
  }
  ::syscall(SYS_execveat, plan.guest.image->get(), "", argv.data(), envp.data(), AT_EMPTY_PATH);
  return Failure(Error::FromErrno("executing the guest"));
}

Result<void> BecomeGuest(const ChildPlan& plan, const Fd& socket) {
  // A session of its own: no controlling terminal of the caller's, and no share of its session's
  // processor time (sched(7), autogroup).
  if (::setsid() < 0) return Failure(Error::FromErrno("setsid"));
  TRY(EnterCgroups(plan));
  // The sandbox's cgroups become the roots of what it can see of them.
  TRY(sys::Unshare(CLONE_NEWCGROUP));
  TRY(Expect(TRY(ReceivePacket(socket)), PacketType::kMapped));
  TRY(BecomeRootInside(plan));
  if (::sethostname(plan.request.hostname.data(), plan.request.hostname.size()) < 0) {
    return Failure(Error::FromErrno("sethostname"));
  }
  if (plan.own_netns) TRY(PrepareNetwork(plan.single_user));
  AttachOptions attach;
  attach.noexec = plan.request.noexec;
  attach.read_only = plan.request.read_only;
  attach.single_user = plan.single_user;
  attach.owner = plan.single_user ? kUserId : plan.request.owner;
  OwnMounts own = TRY(MakeOwnMounts(attach));
  // What can be done while the launcher builds the root filesystem.
  const std::vector<Fd> knobs = TRY(OpenNamespaceKnobs(own.proc));
  TRY(CoverAhead(own));
  TRY(DropBoundingSet(plan.single_user, plan.request.privileges));
  std::optional<Packet> packet = TRY(ReceivePacket(socket));
  TRY(Expect(packet, PacketType::kMounts));
  Built built = plan.single_user
                    ? TRY(BuildOwn(plan))
                    : Built{DecodePlaces(packet->body, std::move(packet->fds)), std::nullopt};
  TRY(AttachRoot(std::move(built.mounts), std::move(own), attach));
  TRY(ForbidNamespaces(knobs));
  if (::listen(plan.guest_socket.get(), kGuestBacklog) < 0)
    return Failure(Error::FromErrno("listen"));
  TRY(ArrangeDescriptors(plan));
  TRY(Confine({.limits = plan.request.limits,
               .privileges = plan.request.privileges,
               .single_user = plan.single_user,
               .limit_nproc = plan.limit_nproc,
               .noexec = plan.request.noexec}));
  if (plan.die_with_parent) TRY(DieWithParent(socket));
  std::vector<const Fd*> shown;
  if (built.scratch) shown.push_back(&*built.scratch);
  TRY(SendPacket(socket, PacketType::kConfined, {}, shown));
  return StartGuest(plan);
}

}  // namespace

std::string EncodePlaces(const std::vector<PlacedMount>& mounts) {
  std::string body;
  for (const PlacedMount& placed : mounts) {
    body += static_cast<char>(placed.place);
    body += placed.target;
    body += '\0';
  }
  return body;
}

void RunChild(const ChildPlan& plan, const Fd& socket) {
  const Result<void> result = BecomeGuest(plan, socket);
  // Only failure comes back. If it cannot be told, the launcher sees the child's end.
  (void)SendPacket(socket, PacketType::kFailed, EncodeError(result.error()));
  ::_exit(1);
}

}  // namespace cay::engine::native
