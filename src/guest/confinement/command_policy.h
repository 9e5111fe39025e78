// Which system calls commands are refused that the guest may make. Comes on top of the sandbox's
// filter (engine/native/seccomp/sandbox_policy.h), on the spawner's thread, and every command
// inherits it.
//
// Some calls take memory that no limit counts, and no filter can tell how much of it there is: the
// arbiter is asked about these. Where there is none (the kernel has no listeners for filters, or
// another filter above has one, of which there can be only one), they are refused as a kernel
// without that feature would.
#pragma once

#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/bpf/syscall_policy.h"

namespace cay::guest {

enum class Undecided : bool { kAskTheArbiter, kRefuse };

constexpr seccomp::Policy CommandPolicy(Undecided undecided) {
  using seccomp::Action;
  using seccomp::Low32;
  const auto ask = [undecided](Action otherwise) {
    return undecided == Undecided::kAskTheArbiter ? Action::Ask() : otherwise;
  };
  seccomp::Policy policy(Action::Allow());
  policy.Add({"pidfd_getfd", "for the arbiter only", Action::Errno(EPERM), {SYS_pidfd_getfd}});
  policy.Add({"socket",
              "what a netlink or an internet socket holds unread is not charged to a cgroup, or "
              "not always: their number is bounded",
              Action::Allow(),
              {SYS_socket},
              {{{Low32(0, AF_NETLINK)}, ask(Action::Errno(EPROTONOSUPPORT))},
               {{seccomp::OfInternet(0)}, ask(Action::Allow())}}});
  // The shortest internet socket address has 16 bytes.
  policy.Add({"connect",
              "a connection is a socket at its other end, which may wait there for nobody, and one "
              "that is given up can be made again and again: they count as sockets",
              Action::Allow(),
              {SYS_connect},
              {{{seccomp::Not(seccomp::Masked(2, 0xffff'fff0, 0))}, ask(Action::Allow())}}});
  policy.Add({"setsockopt",
              "nor how much each of them holds",
              Action::Allow(),
              {SYS_setsockopt},
              {{{Low32(1, SOL_SOCKET), Low32(2, SO_RCVBUF)}, ask(Action::Allow())},
               {{Low32(1, SOL_SOCKET), Low32(2, SO_SNDBUF)}, ask(Action::Allow())}}});
  policy.Add({"seccomp",
              "filters fill net.core.bpf_jit_limit, one number for the machine",
              Action::Allow(),
              {SYS_seccomp},
              {{{Low32(0, SECCOMP_SET_MODE_FILTER)}, ask(Action::Errno(EINVAL))}}});
  policy.Add(
      {"prctl",
       "as seccomp",
       Action::Allow(),
       {SYS_prctl},
       {{{Low32(0, PR_SET_SECCOMP), Low32(1, SECCOMP_MODE_FILTER)}, ask(Action::Errno(EINVAL))}}});
  return policy;
}

}  // namespace cay::guest
