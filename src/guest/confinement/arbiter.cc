#include "guest/confinement/arbiter.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "base/os/linux_abi.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "guest/confinement/socket_bounds.h"
#include "guest/io/proc_files.h"

namespace cay::guest {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
constexpr size_t kMaxLost = 64;

// Room for what a newer kernel writes; it refuses bytes that are not 0.
struct alignas(8) Notice {
  std::array<std::byte, 512> bytes{};
};

int ErrnoOfShortage(int call) {
  return call == SYS_seccomp || call == SYS_prctl ? ENOMEM : ENOBUFS;
}

// 0: it is no socket.
uint64_t CookieOf(const Fd& socket) {
  uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_COOKIE, &cookie, &size) == 0 ? cookie : 0;
}

// The file that a descriptor of the thread stands for, or -errno.
int TakeFile(const Fd& proc, pid_t thread, int fd) {
  long pidfd = ::syscall(SYS_pidfd_open, thread, abi::kPidfdThread);
  if (pidfd < 0) {
    // Before Linux 6.9: of its process, which has the same files unless somebody went out of their
    // way.
    std::array<char, 4096> buffer;
    const auto process =
        FindNumber(ReadSmall(proc, std::to_string(thread) + "/status", buffer), "Tgid:");
    pidfd = ::syscall(SYS_pidfd_open, process.value_or(0), 0U);
  }
  if (pidfd < 0) return -errno;
  const Fd owner = Fd::Adopt(static_cast<int>(pidfd));
  const long file = ::syscall(SYS_pidfd_getfd, owner.get(), fd, 0U);
  return file < 0 ? -errno : static_cast<int>(file);
}

}  // namespace

Result<Arbiter*> Arbiter::Create(EventLoop& loop, const Fd& proc) {
  Fd own = TRY(proc.Duplicate());
  return new Arbiter(loop, std::move(own));
}

Result<void> Arbiter::Begin(int listener, pid_t spawner) {
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0U, &sizes) != 0) {
    return Failure(Error::FromErrno("the size of the kernel's questions"));
  }
  if (sizes.seccomp_notif > sizeof(Notice)) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kMachine,
                         "the kernel's questions are larger than is known"));
  }
  listener_ = listener;
  filters_.emplace(proc_, spawner);
  return loop_.Watch(listener, EPOLLIN, *this);
}

void Arbiter::OnReady(uint32_t /*events*/) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread{};
  const int error = ::pthread_create(&thread, &attributes, &ThreadMain, this);
  ::pthread_attr_destroy(&attributes);
  if (error == 0) {
    loop_.Forget(listener_);
    return;
  }
  // The sandbox has as many processes as it may. None of these waits: one question is there, and an
  // errno needs no command to take it.
  if (const auto asked = Receive()) Return(*asked, ErrnoOfShortage(asked->data.nr));
}

void* Arbiter::ThreadMain(void* self) { static_cast<Arbiter*>(self)->Serve(); }

void Arbiter::Serve() {
  while (true) {
    if (const auto asked = Receive()) Answer(*asked);
  }
}

std::optional<seccomp_notif> Arbiter::Receive() const {
  Notice notice;
  if (::ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, notice.bytes.data()) == 0) {
    seccomp_notif asked{};
    std::memcpy(&asked, notice.bytes.data(), sizeof asked);
    return asked;
  }
  if (errno == EINTR || errno == ENOENT) return std::nullopt;  // ENOENT: who asked has been killed
  LogError(Error::FromErrno("waiting for commands' system calls").ToString());
  ::_exit(1);
}

void Arbiter::Answer(const seccomp_notif& asked) {
  switch (asked.data.nr) {
    case SYS_socket:
      return AnswerSocket(asked);
    case SYS_connect:
      return AnswerOneMoreOfTheInternet(asked);
    case SYS_setsockopt:
      return AnswerSetBuffer(asked);
    case SYS_seccomp:
    case SYS_prctl:
      return filters_->Grant(static_cast<pid_t>(asked.pid)) ? GoOn(asked) : Return(asked, EINVAL);
    default:
      return Return(asked, ENOSYS);
  }
}

void Arbiter::AnswerSocket(const seccomp_notif& asked) {
  const auto family = static_cast<int>(asked.data.args[0]);
  const auto type = static_cast<int>(asked.data.args[1]);
  const auto protocol = static_cast<int>(asked.data.args[2]);
  if (family != AF_NETLINK) {
    const bool pings = protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
    if (pings && CountPingSockets(proc_, family).value_or(kMaxPingSockets) >= kMaxPingSockets) {
      return Return(asked, ENOBUFS);
    }
    return AnswerOneMoreOfTheInternet(asked);
  }
  if (GiveLost(asked)) return;
  const auto sockets = CountNetlinkSockets(proc_);
  if (!sockets || *sockets >= kMaxNetlinkSockets) return Return(asked, ENOBUFS);
  const int made = OpenNetlinkSocket(type, protocol);
  if (made < 0) return Return(asked, -made);
  const Fd socket = Fd::Adopt(made);
  Give(asked, socket, (type & SOCK_CLOEXEC) != 0);
}

void Arbiter::AnswerOneMoreOfTheInternet(const seccomp_notif& asked) const {
  const auto sockets = CountSockets(proc_);
  return sockets && *sockets < kMaxSockets ? GoOn(asked) : Return(asked, ENOBUFS);
}

void Arbiter::AnswerSetBuffer(const seccomp_notif& asked) const {
  const auto thread = static_cast<pid_t>(asked.pid);
  const int taken = TakeFile(proc_, thread, static_cast<int>(asked.data.args[0]));
  if (taken < 0) return Return(asked, -taken);
  const Fd socket = Fd::Adopt(taken);
  int value = 0;
  if (static_cast<int>(asked.data.args[4]) < static_cast<int>(sizeof value)) {
    return Return(asked, EINVAL);
  }
  const iovec here{.iov_base = &value, .iov_len = sizeof value};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of the command's, which means nothing here
  void* const where = reinterpret_cast<void*>(asked.data.args[3]);
  const iovec there{.iov_base = where, .iov_len = sizeof value};
  if (::process_vm_readv(thread, &here, 1, &there, 1, 0) != sizeof value) {
    return Return(asked, EFAULT);
  }
  // Its number may belong to another thread by now: then so do the file and the value.
  if (!StillAsks(asked)) return;
  Return(asked, SetBuffer(socket, static_cast<int>(asked.data.args[2]), value));
}

// An answer that cannot be given any more is to a call that was interrupted.
void Arbiter::GoOn(const seccomp_notif& asked) const {
  seccomp_notif_resp answer{
      .id = asked.id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
  (void)::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

bool Arbiter::ReturnDescriptor(const seccomp_notif& asked, int fd) const {
  seccomp_notif_resp answer{.id = asked.id, .val = fd, .error = 0, .flags = 0};
  return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

void Arbiter::Return(const seccomp_notif& asked, int sys_errno) const {
  seccomp_notif_resp answer{.id = asked.id, .val = 0, .error = -sys_errno, .flags = 0};
  (void)::ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

// In two steps. In one (SECCOMP_ADDFD_FLAG_SEND) the answer counts as given before the descriptor
// is taken: when the sandbox is paused in between, the call returns 0, which is somebody else's
// descriptor (Linux 6.18).
void Arbiter::Give(const seccomp_notif& asked, const Fd& socket, bool close_on_exec) {
  seccomp_notif_addfd gift{.id = asked.id,
                           .flags = 0,
                           .srcfd = static_cast<uint32_t>(socket.get()),
                           .newfd = 0,
                           .newfd_flags = close_on_exec ? uint32_t{O_CLOEXEC} : 0};
  const int given = ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ADDFD, &gift);
  if (given < 0) return Return(asked, errno);  // its own table of descriptors may be full
  if (ReturnDescriptor(asked, given)) return;
  const uint64_t cookie = CookieOf(socket);
  if (cookie == 0) return;
  if (lost_.size() >= kMaxLost) lost_.erase(lost_.begin());
  lost_.push_back({.thread = static_cast<pid_t>(asked.pid),
                   .fd = given,
                   .type = asked.data.args[1],
                   .cookie = cookie});
}

// Nobody but the kernel and this knows of the socket, so it is as good as a new one: of the only
// protocol that the sandbox's filter lets be asked for (NETLINK_ROUTE). It may be lost again.
bool Arbiter::GiveLost(const seccomp_notif& asked) {
  const auto thread = static_cast<pid_t>(asked.pid);
  const auto found = std::ranges::find_if(lost_, [&](const Lost& lost) {
    return lost.thread == thread && lost.type == asked.data.args[1];
  });
  if (found == lost_.end()) return false;
  const int taken = TakeFile(proc_, thread, found->fd);
  const bool same = taken >= 0 && CookieOf(Fd::Adopt(taken)) == found->cookie;
  if (!same || ReturnDescriptor(asked, found->fd)) lost_.erase(found);
  return same;
}

bool Arbiter::StillAsks(const seccomp_notif& asked) const {
  uint64_t id = asked.id;
  return ::ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

}  // namespace cay::guest
