// Sockets of every sandbox: which there are, and which of their options. What is left of both is
// what the memory limit counts, or what the guest bounds (guest/confinement/command_policy.h).
#pragma once

#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <initializer_list>

#include "engine/native/seccomp/allowed_calls.h"

namespace cay::engine::native {

// include/uapi/linux/in6.h and tcp.h; the libc headers have not all of them.
inline constexpr uint64_t kIpv6FlowLabelManager = 32;
inline constexpr uint64_t kIpv6PacketOptions = 6;  // IPV6_2292PKTOPTIONS
inline constexpr uint64_t kTcpAoAddKey = 38;

namespace policy_internal {

// Families and protocols that are not needed are not there, so that no module is loaded for them
// (net-pf-* aliases: CVE-2017-6074 DCCP, CVE-2019-8956 and others SCTP, CVE-2022-0435 TIPC,
// CVE-2021-26708 VSOCK, CVE-2020-14386 PACKET, CVE-2026-31431 ALG).
constexpr void AddSockets(Policy& policy) {
  constexpr uint64_t kTypeMask = 0xf;  // SOCK_TYPE_MASK of the kernel: without NONBLOCK, CLOEXEC
  const Condition internet = OfInternet(0);
  const Action allow = Action::Allow();
  policy.Add({"socket",
              "Unix, IPv4, IPv6 with TCP, UDP and ping; rtnetlink, without which interfaces "
              "cannot be listed",
              Action::Errno(EPROTONOSUPPORT),
              {SYS_socket},
              {{{Low32(0, AF_UNIX)}, allow},
               {{Low32(0, AF_NETLINK), Low32(2, NETLINK_ROUTE)}, allow},
               {{Low32(0, AF_NETLINK)}, Action::Errno(EPROTONOSUPPORT)},
               {{Not(internet)}, Action::Errno(EAFNOSUPPORT)},
               {{Masked(1, kTypeMask, SOCK_RAW)}, Action::Errno(EPERM)},
               {{Not(Masked(1, kTypeMask & ~3ULL, 0))}, Action::Errno(ESOCKTNOSUPPORT)},
               {{Low32(2, IPPROTO_IP)}, allow},
               {{Low32(2, IPPROTO_TCP)}, allow},
               {{Low32(2, IPPROTO_UDP)}, allow},
               {{Low32(2, IPPROTO_ICMP)}, allow},
               {{Low32(2, IPPROTO_ICMPV6)}, allow}}});
  policy.Add({"socketpair",
              "only Unix sockets have pairs that are needed",
              Action::Errno(EAFNOSUPPORT),
              {SYS_socketpair},
              {{{Low32(0, AF_UNIX)}, allow}}});
}

// A connection that is made by sending would not ask the arbiter
// (guest/confinement/command_policy.h). The answer is that of a machine with net.ipv4.tcp_fastopen
// 0.
constexpr void AddSending(Policy& policy) {
  const auto add = [&policy](std::string_view name, uint32_t call, uint8_t flags) {
    policy.Add({name,
                "everything but connecting, which connect(2) is for",
                Action::Allow(),
                {call},
                {{{Masked(flags, MSG_FASTOPEN, MSG_FASTOPEN)}, Action::Errno(EOPNOTSUPP)}}});
  };
  add("sendto", SYS_sendto, 3);
  add("sendmsg", SYS_sendmsg, 2);
  add("sendmmsg", SYS_sendmmsg, 3);
}

// Nothing of these is charged to a cgroup. The answers are those of a kernel without the option,
// and of a machine without an interface for the group, which is what a join that names none gets in
// a sandbox anyway.
constexpr void AddSocketOptions(Policy& policy) {
  const Action allow = Action::Allow();
  // The usual ones first, as few steps away as can be: SO_REUSEADDR to SO_REUSEPORT, SO_RCVTIMEO,
  // TCP_NODELAY …
  std::vector<Rule> rules = {
      {{Low32(1, SOL_SOCKET), Masked(2, 0xffff'fff0, 0)}, allow},
      {{Low32(1, SOL_SOCKET), Masked(2, 0xffff'fff8, 16)}, allow},
      {{Low32(1, IPPROTO_TCP), Masked(2, 0xffff'fff8, 0)}, allow},
  };
  const auto refuse = [&rules](uint64_t level, int sys_errno,
                               std::initializer_list<uint64_t> options) {
    for (const uint64_t option : options) {
      rules.push_back({{Low32(1, level), Low32(2, option)}, Action::Errno(sys_errno)});
    }
  };
  // Programs: their translations fill net.core.bpf_jit_limit, one number for the machine. Zero
  // copy: its notices.
  refuse(SOL_SOCKET, ENOPROTOOPT,
         {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF,
          SO_LOCK_FILTER, SO_ZEROCOPY});
  // Upper layer protocols load modules (tls: CVE-2023-0461, CVE-2024-26582). Keys: up to
  // net.core.optmem_max for each socket.
  refuse(IPPROTO_TCP, ENOPROTOOPT, {TCP_ULP, TCP_MD5SIG, TCP_MD5SIG_EXT, kTcpAoAddKey});
  // Turns a branch on in the machine's path of every datagram.
  refuse(IPPROTO_UDP, ENOPROTOOPT, {UDP_ENCAP});
  // A list for each socket and one for each interface; 2,700 groups on one IPv6 socket.
  refuse(IPPROTO_IP, ENODEV,
         {IP_ADD_MEMBERSHIP, IP_ADD_SOURCE_MEMBERSHIP, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP});
  refuse(IPPROTO_IPV6, ENODEV,
         {IPV6_JOIN_GROUP, IPV6_JOIN_ANYCAST, MCAST_JOIN_GROUP, MCAST_JOIN_SOURCE_GROUP});
  // 4096 flow labels for the machine (net/ipv6/ip6_flowlabel.c); headers of 2 KiB for each socket.
  refuse(IPPROTO_IPV6, ENOPROTOOPT, {kIpv6FlowLabelManager, IPV6_RTHDR, kIpv6PacketOptions});
  policy.Add({"setsockopt",
              "everything but what is kept outside the memory limit, or belongs to the machine",
              allow,
              {SYS_setsockopt},
              std::move(rules)});
}

}  // namespace policy_internal
}  // namespace cay::engine::native
