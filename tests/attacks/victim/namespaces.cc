// Namespaces: making new ones and entering others'.
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

constexpr unsigned kCloneNewTime = 0x80;  // linux/sched.h of newer headers

int FlagOf(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, int>, 8> kFlags = {{
      {"user", CLONE_NEWUSER},
      {"mnt", CLONE_NEWNS},
      {"pid", CLONE_NEWPID},
      {"net", CLONE_NEWNET},
      {"ipc", CLONE_NEWIPC},
      {"uts", CLONE_NEWUTS},
      {"cgroup", CLONE_NEWCGROUP},
      {"time", kCloneNewTime},
  }};
  for (const auto& [flag_name, flag] : kFlags) {
    if (flag_name == name) return flag;
  }
  return 0;
}

Verdict Unshare(Arguments arguments) { return OfCall(::unshare(FlagOf(arguments[0]))); }

Verdict Clone(Arguments arguments) {
  const long child =
      ::syscall(SYS_clone, static_cast<unsigned long>(FlagOf(arguments[0])) | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) ::_exit(0);
  return OfCall(child);
}

Verdict Clone3(Arguments arguments) {
  clone_args args{};
  args.flags = static_cast<unsigned>(FlagOf(arguments[0]));
  args.exit_signal = SIGCHLD;
  const long child = ::syscall(SYS_clone3, &args, sizeof args);
  if (child == 0) ::_exit(0);
  return OfCall(child);
}

// Every namespace of a process that /proc shows, of oneself and of the guest.
Verdict SetNs(Arguments arguments) {
  const std::string path = std::string("/proc/") + arguments[0] + "/ns/" + arguments[1];
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Refused();
  return OfCall(::setns(fd, 0));
}

// setns by pidfd enters several at once.
Verdict SetNsByPidfd(Arguments) {
  const long fd = ::syscall(SYS_pidfd_open, 1, 0);
  if (fd < 0) return Refused();
  return OfCall(::setns(static_cast<int>(fd), CLONE_NEWNS | CLONE_NEWUTS));
}

// The way of CVE-2022-0185 and CVE-2024-1086: capabilities in a nested user namespace, and from
// there nfnetlink.
Verdict NestedNfnetlink(Arguments) {
  return InChild([] -> Verdict {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return Refused();
    return OfCall(::socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER));
  });
}

// The owner's and the parent's namespace of one's own (ioctl_ns(2)).
Verdict ParentNamespace(Arguments) {
  constexpr unsigned long kNsGetParent = 0xb702;
  const int fd = ::open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Refused();
  return OfCall(::ioctl(fd, kNsGetParent));
}

constexpr std::array kProbes = {
    Probe{"unshare", Unshare},
    Probe{"clone", Clone},
    Probe{"clone3", Clone3},
    Probe{"setns", SetNs},
    Probe{"setns_pidfd", SetNsByPidfd},
    Probe{"nested_nfnetlink", NestedNfnetlink},
    Probe{"parent_namespace", ParentNamespace},
};

}  // namespace

std::span<const Probe> NamespaceProbes() { return kProbes; }

}  // namespace cay::attacks
