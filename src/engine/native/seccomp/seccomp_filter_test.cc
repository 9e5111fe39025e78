#include "engine/native/seccomp/seccomp_filter.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <sstream>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "engine/native/seccomp/bpf_evaluator.h"
#include "engine/native/seccomp/sandbox_policy.h"

namespace cay::engine::native {
namespace {

constexpr uint32_t kLastNumber = 600;
// From here on names are our own: older and newer libseccomp would give different ones.
constexpr uint32_t kFirstNumberNotInLibseccomp = 451;

seccomp_data Call(uint32_t number, const std::array<uint64_t, 6>& args = {},
                  uint32_t arch = AUDIT_ARCH_X86_64) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = arch;
  std::copy(args.begin(), args.end(), call.args);
  return call;
}

uint32_t ActionOf(std::span<const sock_filter> program, const seccomp_data& call) {
  const auto verdict = RunFilter(program, call);
  EXPECT_TRUE(verdict) << "call " << call.nr << ": " << verdict.error().ToString();
  return verdict ? verdict->action : 0;
}

std::string ActionName(uint32_t action) {
  if (action == SECCOMP_RET_ALLOW) return "allow";
  if (action == SECCOMP_RET_KILL_PROCESS) return "kill";
  if (action == SECCOMP_RET_ERRNO) return "pretend";
  return ::strerrorname_np(static_cast<int>(action & SECCOMP_RET_DATA));
}

std::string NameOf(uint32_t number) {
  static const std::map<uint32_t, std::string> kNewer = {
      {451, "cachestat"},         {452, "fchmodat2"},        {453, "map_shadow_stack"},
      {454, "futex_wake"},        {455, "futex_wait"},       {456, "futex_requeue"},
      {457, "statmount"},         {458, "listmount"},        {459, "lsm_get_self_attr"},
      {460, "lsm_set_self_attr"}, {461, "lsm_list_modules"}, {462, "mseal"},
      {463, "setxattrat"},        {464, "getxattrat"},       {465, "listxattrat"},
      {466, "removexattrat"},     {467, "open_tree_attr"},   {468, "file_getattr"},
      {469, "file_setattr"}};
  if (const auto found = kNewer.find(number); found != kNewer.end()) return found->second;
  if (number >= kFirstNumberNotInLibseccomp) return "-";
  const std::unique_ptr<char, void (*)(void*)> name(
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, static_cast<int>(number)), std::free);
  return name ? name.get() : "-";
}

struct ArgumentCase {
  const char* text;
  uint32_t number;
  std::array<uint64_t, 6> args;
};

constexpr uint64_t kHigh = 1ULL << 32;

const ArgumentCase kArgumentCases[] = {
    {"clone(SIGCHLD)", SYS_clone, {17}},
    {"clone(CLONE_VM|CLONE_VFORK|SIGCHLD)", SYS_clone, {0x4111}},
    {"clone(pthread)", SYS_clone, {0x3d0f00}},
    {"clone(CLONE_NEWNS)", SYS_clone, {CLONE_NEWNS}},
    {"clone(CLONE_NEWCGROUP)", SYS_clone, {CLONE_NEWCGROUP}},
    {"clone(CLONE_NEWUTS)", SYS_clone, {CLONE_NEWUTS}},
    {"clone(CLONE_NEWIPC)", SYS_clone, {CLONE_NEWIPC}},
    {"clone(CLONE_NEWUSER)", SYS_clone, {CLONE_NEWUSER}},
    {"clone(CLONE_NEWPID)", SYS_clone, {CLONE_NEWPID}},
    {"clone(CLONE_NEWNET)", SYS_clone, {CLONE_NEWNET}},
    {"clone(CLONE_NEWUSER|SIGCHLD|1<<32)", SYS_clone, {CLONE_NEWUSER | 17 | kHigh}},
    {"fcntl(F_GETFL)", SYS_fcntl, {3, F_GETFL}},
    {"fcntl(F_SETLK)", SYS_fcntl, {3, F_SETLK}},
    {"fcntl(F_DUPFD_CLOEXEC)", SYS_fcntl, {3, F_DUPFD_CLOEXEC}},
    {"fcntl(F_SETLEASE)", SYS_fcntl, {3, F_SETLEASE}},
    {"fcntl(F_SETLEASE|1<<32)", SYS_fcntl, {3, F_SETLEASE | kHigh}},
    {"fcntl(F_SETDELEG)", SYS_fcntl, {3, kFSetDelegation}},
    {"sendto(MSG_NOSIGNAL)", SYS_sendto, {3, 0, 0, MSG_NOSIGNAL}},
    {"sendto(MSG_FASTOPEN)", SYS_sendto, {3, 0, 0, MSG_FASTOPEN | MSG_NOSIGNAL}},
    {"sendmsg(MSG_FASTOPEN)", SYS_sendmsg, {3, 0, MSG_FASTOPEN}},
    {"sendmmsg(MSG_FASTOPEN)", SYS_sendmmsg, {3, 0, 1, MSG_FASTOPEN | kHigh}},
    {"sendmmsg(0)", SYS_sendmmsg, {3, 0, 1, 0}},
    {"mknod(S_IFIFO)", SYS_mknod, {0, S_IFIFO | 0600}},
    {"mknod(S_IFREG)", SYS_mknod, {0, S_IFREG | 0600}},
    {"mknod(S_IFSOCK)", SYS_mknod, {0, S_IFSOCK | 0600}},
    {"mknod(S_IFCHR)", SYS_mknod, {0, S_IFCHR | 0600}},
    {"mknod(S_IFBLK)", SYS_mknod, {0, S_IFBLK | 0600}},
    {"mknod(S_IFCHR|1<<16)", SYS_mknod, {0, S_IFCHR | 0x10000}},
    {"mknodat(S_IFIFO)", SYS_mknodat, {0, 0, S_IFIFO | 0600}},
    {"mknodat(S_IFCHR)", SYS_mknodat, {0, 0, S_IFCHR | 0600}},
    {"mknodat(S_IFBLK)", SYS_mknodat, {0, 0, S_IFBLK | 0600}},
    {"ioctl(TCGETS)", SYS_ioctl, {0, TCGETS}},
    {"ioctl(TIOCSCTTY)", SYS_ioctl, {0, TIOCSCTTY}},
    {"ioctl(TIOCSWINSZ)", SYS_ioctl, {0, TIOCSWINSZ}},
    {"ioctl(TIOCGPTN)", SYS_ioctl, {0, TIOCGPTN}},
    {"ioctl(TIOCSTI)", SYS_ioctl, {0, TIOCSTI}},
    {"ioctl(TIOCSTI|1<<32)", SYS_ioctl, {0, TIOCSTI | kHigh}},
    {"ioctl(TIOCLINUX)", SYS_ioctl, {0, kTioclinux}},
    {"ioctl(TIOCCONS)", SYS_ioctl, {0, TIOCCONS}},
    {"ioctl(TIOCSETD)", SYS_ioctl, {0, TIOCSETD}},
    {"ioctl(SIOCGSKNS)", SYS_ioctl, {0, kSiocgskns}},
    {"personality(0)", SYS_personality, {0}},
    {"personality(PER_LINUX32)", SYS_personality, {8}},
    {"personality(UNAME26)", SYS_personality, {0x20000}},
    {"personality(UNAME26|PER_LINUX32)", SYS_personality, {0x20008}},
    {"personality(ADDR_NO_RANDOMIZE)", SYS_personality, {0x40000}},
    {"personality(query)", SYS_personality, {0xffffffff}},
    {"personality(READ_IMPLIES_EXEC)", SYS_personality, {0x400000}},
    {"personality(MMAP_PAGE_ZERO)", SYS_personality, {0x100000}},
    {"personality(ADDR_COMPAT_LAYOUT)", SYS_personality, {0x200000}},
    {"setrlimit(RLIMIT_CORE)", SYS_setrlimit, {RLIMIT_CORE, 0x1000}},
    {"setrlimit(RLIMIT_NOFILE)", SYS_setrlimit, {RLIMIT_NOFILE, 0x1000}},
    {"prlimit64(RLIMIT_CORE,new)", SYS_prlimit64, {0, RLIMIT_CORE, 0x1000, 0}},
    {"prlimit64(RLIMIT_CORE,high new)", SYS_prlimit64, {0, RLIMIT_CORE, kHigh, 0}},
    {"prlimit64(RLIMIT_CORE,new,old)", SYS_prlimit64, {0, RLIMIT_CORE, 0x1000, 0x2000}},
    {"prlimit64(RLIMIT_CORE,old)", SYS_prlimit64, {0, RLIMIT_CORE, 0, 0x2000}},
    {"prlimit64(RLIMIT_NOFILE,new)", SYS_prlimit64, {0, RLIMIT_NOFILE, 0x1000, 0}},
    {"prlimit64(1,RLIMIT_NOFILE,new)", SYS_prlimit64, {1, RLIMIT_NOFILE, 0x1000, 0}},
    {"prlimit64(1,RLIMIT_NOFILE,old)", SYS_prlimit64, {1, RLIMIT_NOFILE, 0, 0x1000}},
    {"prctl(PR_SET_NO_NEW_PRIVS)", SYS_prctl, {PR_SET_NO_NEW_PRIVS}},
    {"prctl(PR_SET_SECCOMP)", SYS_prctl, {PR_SET_SECCOMP}},
    {"prctl(PR_CAPBSET_DROP)", SYS_prctl, {PR_CAPBSET_DROP}},
    {"prctl(PR_SET_DUMPABLE)", SYS_prctl, {PR_SET_DUMPABLE}},
    {"prctl(PR_SET_MM)", SYS_prctl, {PR_SET_MM}},
    {"prctl(PR_SCHED_CORE)", SYS_prctl, {PR_SCHED_CORE}},
    {"prctl(PR_SET_MEMORY_MERGE)", SYS_prctl, {kPrSetMemoryMerge, 1}},
    {"prctl(PR_SET_VMA)", SYS_prctl, {kPrSetVma, 0}},
    {"socket(UNIX,STREAM,0)", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"socket(UNIX,SEQPACKET|CLOEXEC,0)", SYS_socket, {AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0}},
    {"socket(INET,STREAM|NONBLOCK,TCP)", SYS_socket, {AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 6}},
    {"socket(INET,DGRAM,UDP)", SYS_socket, {AF_INET, SOCK_DGRAM, 17}},
    {"socket(INET,DGRAM,ICMP)", SYS_socket, {AF_INET, SOCK_DGRAM, 1}},
    {"socket(INET6,STREAM,0)", SYS_socket, {AF_INET6, SOCK_STREAM, 0}},
    {"socket(INET6,DGRAM,ICMPV6)", SYS_socket, {AF_INET6, SOCK_DGRAM, 58}},
    {"socket(INET,RAW,ICMP)", SYS_socket, {AF_INET, SOCK_RAW, 1}},
    {"socket(INET,SEQPACKET,SCTP)", SYS_socket, {AF_INET, SOCK_SEQPACKET, 132}},
    {"socket(INET,STREAM,SCTP)", SYS_socket, {AF_INET, SOCK_STREAM, 132}},
    {"socket(INET,DCCP,0)", SYS_socket, {AF_INET, 6, 0}},
    {"socket(INET,PACKET,0)", SYS_socket, {AF_INET, 10, 0}},
    {"socket(INET,STREAM,MPTCP)", SYS_socket, {AF_INET, SOCK_STREAM, 262}},
    {"socket(INET,DGRAM,L2TP)", SYS_socket, {AF_INET, SOCK_DGRAM, 115}},
    {"socket(NETLINK,RAW,ROUTE)", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
    {"socket(NETLINK,RAW,XFRM)", SYS_socket, {AF_NETLINK, SOCK_RAW, 6}},
    {"socket(NETLINK,RAW,AUDIT)", SYS_socket, {AF_NETLINK, SOCK_RAW, 9}},
    {"socket(NETLINK,RAW,NETFILTER)", SYS_socket, {AF_NETLINK, SOCK_RAW, 12}},
    {"socket(NETLINK,RAW,KOBJECT_UEVENT)", SYS_socket, {AF_NETLINK, SOCK_RAW, 15}},
    {"socket(NETLINK,RAW,GENERIC)", SYS_socket, {AF_NETLINK, SOCK_RAW, 16}},
    {"socket(PACKET,RAW,0)", SYS_socket, {17, SOCK_RAW, 0}},
    {"socket(CAN,RAW,1)", SYS_socket, {29, SOCK_RAW, 1}},
    {"socket(TIPC,RDM,0)", SYS_socket, {30, 4, 0}},
    {"socket(BLUETOOTH,RAW,1)", SYS_socket, {31, SOCK_RAW, 1}},
    {"socket(ALG,SEQPACKET,0)", SYS_socket, {38, SOCK_SEQPACKET, 0}},
    {"socket(VSOCK,STREAM,0)", SYS_socket, {40, SOCK_STREAM, 0}},
    {"socket(SMC,STREAM,0)", SYS_socket, {43, SOCK_STREAM, 0}},
    {"socket(XDP,RAW,0)", SYS_socket, {44, SOCK_RAW, 0}},
    {"socket(ALG|1<<32,SEQPACKET,0)", SYS_socket, {38 | kHigh, SOCK_SEQPACKET, 0}},
    {"socketpair(UNIX)", SYS_socketpair, {AF_UNIX, SOCK_STREAM}},
    {"socketpair(TIPC)", SYS_socketpair, {30, SOCK_STREAM}},
    {"setsockopt(SOL_SOCKET,SO_REUSEADDR)", SYS_setsockopt, {0, SOL_SOCKET, SO_REUSEADDR}},
    {"setsockopt(TCP,TCP_NODELAY)", SYS_setsockopt, {0, 6, TCP_NODELAY}},
    {"setsockopt(SOL_SOCKET,SO_RCVBUF)", SYS_setsockopt, {0, SOL_SOCKET, SO_RCVBUF}},
    {"setsockopt(SOL_SOCKET,SO_ATTACH_FILTER)", SYS_setsockopt, {0, SOL_SOCKET, SO_ATTACH_FILTER}},
    {"setsockopt(SOL_SOCKET|1<<32,SO_ATTACH_FILTER)",
     SYS_setsockopt,
     {0, SOL_SOCKET | kHigh, SO_ATTACH_FILTER | kHigh}},
    {"setsockopt(SOL_SOCKET,SO_ATTACH_BPF)", SYS_setsockopt, {0, SOL_SOCKET, SO_ATTACH_BPF}},
    {"setsockopt(SOL_SOCKET,SO_ATTACH_REUSEPORT_CBPF)", SYS_setsockopt, {0, SOL_SOCKET, 51}},
    {"setsockopt(SOL_SOCKET,SO_ATTACH_REUSEPORT_EBPF)", SYS_setsockopt, {0, SOL_SOCKET, 52}},
    {"setsockopt(SOL_SOCKET,SO_DETACH_FILTER)", SYS_setsockopt, {0, SOL_SOCKET, SO_DETACH_FILTER}},
    {"setsockopt(SOL_SOCKET,SO_LOCK_FILTER)", SYS_setsockopt, {0, SOL_SOCKET, SO_LOCK_FILTER}},
    {"setsockopt(SOL_SOCKET,SO_ZEROCOPY)", SYS_setsockopt, {0, SOL_SOCKET, SO_ZEROCOPY}},
    {"setsockopt(SOL_SOCKET,SO_RCVTIMEO)", SYS_setsockopt, {0, SOL_SOCKET, SO_RCVTIMEO}},
    {"setsockopt(SOL_SOCKET,SO_TIMESTAMP)", SYS_setsockopt, {0, SOL_SOCKET, SO_TIMESTAMP}},
    {"setsockopt(TCP,TCP_ULP)", SYS_setsockopt, {0, 6, TCP_ULP}},
    {"setsockopt(TCP,TCP_MD5SIG)", SYS_setsockopt, {0, 6, TCP_MD5SIG}},
    {"setsockopt(TCP,TCP_MD5SIG_EXT)", SYS_setsockopt, {0, 6, TCP_MD5SIG_EXT}},
    {"setsockopt(TCP,TCP_AO_ADD_KEY)", SYS_setsockopt, {0, 6, 38}},
    {"setsockopt(UDP,UDP_ENCAP)", SYS_setsockopt, {0, 17, 100}},
    {"setsockopt(IP,IP_TOS)", SYS_setsockopt, {0, 0, IP_TOS}},
    {"setsockopt(IP,IP_ADD_MEMBERSHIP)", SYS_setsockopt, {0, 0, IP_ADD_MEMBERSHIP}},
    {"setsockopt(IP,IP_ADD_SOURCE_MEMBERSHIP)", SYS_setsockopt, {0, 0, IP_ADD_SOURCE_MEMBERSHIP}},
    {"setsockopt(IP,MCAST_JOIN_GROUP)", SYS_setsockopt, {0, 0, MCAST_JOIN_GROUP}},
    {"setsockopt(IP,MCAST_JOIN_SOURCE_GROUP)", SYS_setsockopt, {0, 0, MCAST_JOIN_SOURCE_GROUP}},
    {"setsockopt(IPV6,IPV6_V6ONLY)", SYS_setsockopt, {0, 41, IPV6_V6ONLY}},
    {"setsockopt(IPV6,IPV6_JOIN_GROUP)", SYS_setsockopt, {0, 41, IPV6_JOIN_GROUP}},
    {"setsockopt(IPV6,IPV6_JOIN_ANYCAST)", SYS_setsockopt, {0, 41, IPV6_JOIN_ANYCAST}},
    {"setsockopt(IPV6,MCAST_JOIN_GROUP)", SYS_setsockopt, {0, 41, MCAST_JOIN_GROUP}},
    {"setsockopt(IPV6,MCAST_JOIN_SOURCE_GROUP)", SYS_setsockopt, {0, 41, MCAST_JOIN_SOURCE_GROUP}},
    {"setsockopt(IPV6,IPV6_FLOWLABEL_MGR)", SYS_setsockopt, {0, 41, 32}},
    {"setsockopt(IPV6,IPV6_RTHDR)", SYS_setsockopt, {0, 41, IPV6_RTHDR}},
    {"setsockopt(IPV6,IPV6_2292PKTOPTIONS)", SYS_setsockopt, {0, 41, 6}},
    {"mmap(MAP_PRIVATE|MAP_ANONYMOUS)", SYS_mmap, {0, 4096, 3, 0x22}},
    {"mmap(MAP_HUGETLB)", SYS_mmap, {0, 4096, 3, 0x40022}},
    {"mmap(MAP_HUGETLB|MAP_HUGE_1GB)", SYS_mmap, {0, 4096, 3, 0x40022 | 30ULL << 26}},
    {"memfd_create(MFD_CLOEXEC)", SYS_memfd_create, {0, 1}},
    {"memfd_create(MFD_HUGETLB)", SYS_memfd_create, {0, 5}},
    {"shmget(IPC_CREAT)", SYS_shmget, {0, 4096, 01600}},
    {"shmget(SHM_HUGETLB)", SYS_shmget, {0, 4096, 05600}},
    {"madvise(MADV_DONTNEED)", SYS_madvise, {0, 4096, MADV_DONTNEED}},
    {"madvise(MADV_FREE)", SYS_madvise, {0, 4096, MADV_FREE}},
    {"madvise(MADV_MERGEABLE)", SYS_madvise, {0, 4096, MADV_MERGEABLE}},
    {"madvise(MADV_COLD)", SYS_madvise, {0, 4096, MADV_COLD}},
    {"madvise(MADV_PAGEOUT)", SYS_madvise, {0, 4096, MADV_PAGEOUT}},
    {"madvise(MADV_PAGEOUT|1<<32)", SYS_madvise, {0, 4096, MADV_PAGEOUT | kHigh}},
    {"fadvise64(POSIX_FADV_WILLNEED)", SYS_fadvise64, {3, 0, 0, POSIX_FADV_WILLNEED}},
    {"fadvise64(POSIX_FADV_DONTNEED)", SYS_fadvise64, {3, 0, 0, POSIX_FADV_DONTNEED}},
    {"fadvise64(POSIX_FADV_DONTNEED|1<<32)", SYS_fadvise64, {3, 0, 0, POSIX_FADV_DONTNEED | kHigh}},
    {"preadv2(0)", SYS_preadv2, {3, 0x1000, 1, 0, 0, 0}},
    {"preadv2(RWF_NOWAIT)", SYS_preadv2, {3, 0x1000, 1, 0, 0, RWF_NOWAIT}},
    {"preadv2(RWF_HIPRI|RWF_NOWAIT)", SYS_preadv2, {3, 0x1000, 1, 0, 0, RWF_HIPRI | RWF_NOWAIT}},
    {"setpriority(PRIO_PROCESS,0)", SYS_setpriority, {PRIO_PROCESS, 0, 19}},
    {"setpriority(PRIO_PROCESS,3)", SYS_setpriority, {PRIO_PROCESS, 3, 19}},
    {"setpriority(PRIO_PROCESS,1)", SYS_setpriority, {PRIO_PROCESS, 1, 19}},
    {"setpriority(PRIO_PROCESS,1|1<<32)", SYS_setpriority, {PRIO_PROCESS, 1 | kHigh, 19}},
    {"setpriority(PRIO_PROCESS,2)", SYS_setpriority, {PRIO_PROCESS, 2, 19}},
    {"setpriority(PRIO_PGRP,0)", SYS_setpriority, {PRIO_PGRP, 0, 19}},
    {"setpriority(PRIO_PGRP,1)", SYS_setpriority, {PRIO_PGRP, 1, 19}},
    {"setpriority(PRIO_USER,0)", SYS_setpriority, {PRIO_USER, 0, 19}},
    {"setpriority(PRIO_USER|1<<32,0)", SYS_setpriority, {PRIO_USER | kHigh, 0, 19}},
    {"ioprio_set(PROCESS,0)", SYS_ioprio_set, {1, 0, 0x6000}},
    {"ioprio_set(PROCESS,1)", SYS_ioprio_set, {1, 1, 0x6000}},
    {"ioprio_set(PROCESS,2)", SYS_ioprio_set, {1, 2, 0x6000}},
    {"ioprio_set(USER,0)", SYS_ioprio_set, {3, 0, 0x6000}},
    {"sched_setaffinity(0)", SYS_sched_setaffinity, {0, 8, 0x1000}},
    {"sched_setaffinity(3)", SYS_sched_setaffinity, {3, 8, 0x1000}},
    {"sched_setaffinity(1)", SYS_sched_setaffinity, {1, 8, 0x1000}},
    {"sched_setaffinity(2)", SYS_sched_setaffinity, {2, 8, 0x1000}},
    {"sched_setaffinity(2|1<<32)", SYS_sched_setaffinity, {2 | kHigh, 8, 0x1000}},
    {"sched_setscheduler(0)", SYS_sched_setscheduler, {0, 5, 0x1000}},
    {"sched_setscheduler(1)", SYS_sched_setscheduler, {1, 5, 0x1000}},
    {"sched_setparam(1)", SYS_sched_setparam, {1, 0x1000}},
    {"sched_setattr(2)", SYS_sched_setattr, {2, 0x1000, 0}},
};

std::string RunLengths(const std::string& abi, uint32_t first, uint32_t last, uint32_t arch) {
  std::string text;
  for (uint32_t begin = first; begin <= last;) {
    const uint32_t action = ActionOf(SandboxFilter(), Call(begin, {}, arch));
    uint32_t end = begin;
    while (end < last && ActionOf(SandboxFilter(), Call(end + 1, {}, arch)) == action) ++end;
    text += abi + " " + std::to_string(begin) + ".." + std::to_string(end) + " " +
            ActionName(action) + "\n";
    begin = end + 1;
  }
  return text;
}

std::string GoldenTable() {
  const Policy policy = SandboxPolicy();
  std::ostringstream out;
  out << "# What the sandbox's seccomp filter answers. Written by seccomp_test with\n"
         "# CAY_UPDATE_GOLDEN=1; review every line that changes.\n"
         "# number name action group; \"arguments\" means: see the cases below.\n";
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    const Group* group = policy.Find(number);
    const bool by_arguments = group != nullptr && !group->rules.empty();
    out << number << " " << NameOf(number) << " "
        << (by_arguments ? "arguments" : ActionName(ActionOf(SandboxFilter(), Call(number))));
    if (group != nullptr) out << " (" << group->name << ")";
    out << "\n";
  }
  out << "\n# Argument cases.\n";
  for (const ArgumentCase& example : kArgumentCases) {
    out << example.text << " "
        << ActionName(ActionOf(SandboxFilter(), Call(example.number, example.args))) << "\n";
  }
  out << "\n# Other ABIs, and a call that a tracer skipped (-1).\n"
      << RunLengths("i386", 0, kLastNumber, AUDIT_ARCH_I386)
      << RunLengths("x32", kX32SyscallBit, kX32SyscallBit + kLastNumber, AUDIT_ARCH_X86_64)
      << "x32-last 4294967294 " << ActionName(ActionOf(SandboxFilter(), Call(0xffff'fffe))) << "\n"
      << "skipped -1 " << ActionName(ActionOf(SandboxFilter(), Call(kSkippedCall))) << "\n";
  return out.str();
}

TEST(SeccompFilter, EqualsItsGoldenTableForEveryCallNumber) {
  const std::string path = CAY_SECCOMP_GOLDEN;
  const std::string actual = GoldenTable();
  if (std::getenv("CAY_UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(WriteFileAtomic(path, actual, 0644));
  }
  const auto expected = ReadFile(path);
  ASSERT_TRUE(expected) << expected.error().ToString();
  std::istringstream expected_lines(*expected);
  std::istringstream actual_lines(actual);
  std::string expected_line;
  std::string actual_line;
  while (std::getline(expected_lines, expected_line)) {
    ASSERT_TRUE(std::getline(actual_lines, actual_line));
    EXPECT_EQ(actual_line, expected_line);
  }
  EXPECT_FALSE(std::getline(actual_lines, actual_line)) << actual_line;
}

// The same policy as libseccomp compiles it: an independent opinion.
class Oracle {
 public:
  explicit Oracle(Action otherwise) : otherwise_(otherwise), context_(Init(otherwise)) {
    Check(seccomp_attr_set(context_, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
  }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  ~Oracle() { seccomp_release(context_); }

  void Add(Action action, uint32_t number) {
    if (action == otherwise_) return;
    Check(seccomp_rule_add_exact_array(context_, ForLibrary(action), static_cast<int>(number), 0,
                                       nullptr));
  }
  void Add(Action action, uint32_t number, const Condition& condition) {
    const scmp_arg_cmp compare = {condition.argument, SCMP_CMP_MASKED_EQ, condition.mask,
                                  condition.value};
    Check(seccomp_rule_add_exact_array(context_, ForLibrary(action), static_cast<int>(number), 1,
                                       &compare));
  }

  std::vector<sock_filter> Export() const {
    const Fd file = Fd::Adopt(::memfd_create("filter", MFD_CLOEXEC));
    Check(seccomp_export_bpf(context_, file.get()));
    const auto size = static_cast<size_t>(::lseek(file.get(), 0, SEEK_END));
    std::vector<sock_filter> program(size / sizeof(sock_filter));
    EXPECT_EQ(::pread(file.get(), program.data(), size, 0), static_cast<ssize_t>(size));
    return program;
  }

 private:
  static uint32_t ForLibrary(Action action) { return action.value(); }  // SCMP_ACT_* are the same
  static scmp_filter_ctx Init(Action otherwise) { return seccomp_init(ForLibrary(otherwise)); }
  static void Check(int result) { EXPECT_EQ(result, 0) << ::strerror(-result); }

  Action otherwise_;
  scmp_filter_ctx context_;
};

TEST(SeccompFilter, AgreesWithLibseccompAboutEveryCallWithoutArgumentChecks) {
  const Policy policy = SandboxPolicy();
  Oracle oracle(policy.unknown());
  for (const Group& group : policy.groups()) {
    if (!group.rules.empty()) continue;
    for (const uint32_t number : group.calls) oracle.Add(group.otherwise, number);
  }
  const auto program = oracle.Export();
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    const Group* group = policy.Find(number);
    if (group != nullptr && !group->rules.empty()) continue;
    EXPECT_EQ(ActionOf(SandboxFilter(), Call(number)), ActionOf(program, Call(number)))
        << NameOf(number);
    for (const uint32_t arch : {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_AARCH64}}) {
      EXPECT_EQ(ActionOf(SandboxFilter(), Call(number, {}, arch)),
                ActionOf(program, Call(number, {}, arch)));
    }
  }
  EXPECT_EQ(ActionOf(SandboxFilter(), Call(kSkippedCall)), ActionOf(program, Call(kSkippedCall)));
}

TEST(SeccompFilter, AgreesWithLibseccompAboutArgumentsThatItCanExpress) {
  const Policy policy = SandboxPolicy();
  size_t compared = 0;
  for (const Group& group : policy.groups()) {
    const bool expressible =
        !group.rules.empty() && std::ranges::all_of(group.rules, [](const Rule& rule) {
          return rule.all.size() == 1 && !rule.all[0].negated;
        });
    if (!expressible) continue;
    Oracle oracle(group.otherwise);
    for (const Rule& rule : group.rules) oracle.Add(rule.then, group.calls[0], rule.all[0]);
    const auto program = oracle.Export();
    for (const ArgumentCase& example : kArgumentCases) {
      if (example.number != group.calls[0]) continue;
      const seccomp_data call = Call(example.number, example.args);
      EXPECT_EQ(ActionOf(SandboxFilter(), call), ActionOf(program, call)) << example.text;
      ++compared;
    }
  }
  EXPECT_GE(compared, 40U);
}

TEST(SeccompFilter, NeedsAtMostSixteenStepsForACallWithoutArgumentChecks) {
  const Policy policy = SandboxPolicy();
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    const Group* group = policy.Find(number);
    if (group != nullptr && !group->rules.empty()) continue;
    const auto verdict = RunFilter(SandboxFilter(), Call(number));
    ASSERT_TRUE(verdict);
    EXPECT_LE(verdict->steps, 16U) << NameOf(number);
  }
}

// Runs `body` in a child under the filter; its wait status.
int UnderTheFilter(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !InstallSandboxFilter()) ::_exit(100);
    ::_exit(body());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

int ErrnoOf(long result) { return result == -1 ? errno : 0; }

TEST(SeccompFilter, IsTakenByTheKernelAndRefusesWhatItSays) {
  EXPECT_EQ(WEXITSTATUS(UnderTheFilter([] { return ErrnoOf(::unshare(CLONE_NEWUSER)); })), EPERM);
  EXPECT_EQ(WEXITSTATUS(
                UnderTheFilter([] { return ErrnoOf(::syscall(SYS_io_uring_setup, 1, nullptr)); })),
            ENOSYS);
  EXPECT_EQ(WEXITSTATUS(UnderTheFilter([] { return ErrnoOf(::socket(38, SOCK_SEQPACKET, 0)); })),
            EAFNOSUPPORT);
  EXPECT_EQ(WEXITSTATUS(UnderTheFilter([] { return ErrnoOf(::getpid()); })), 0);
}

TEST(SeccompFilter, WithNoexecOnlyMemfdsAreMadeThatCanNeverBeExecuted) {
  constexpr uint64_t kMfdExec = 0x10;
  const auto answer = [](uint64_t flags) {
    return ActionName(ActionOf(NoexecFilter(), Call(SYS_memfd_create, {0x1000, flags})));
  };
  EXPECT_EQ(answer(0), "ENOSYS");
  EXPECT_EQ(answer(MFD_CLOEXEC | MFD_ALLOW_SEALING), "ENOSYS");
  EXPECT_EQ(answer(kMfdExec), "ENOSYS");
  EXPECT_EQ(answer(MFD_CLOEXEC | kMfdNoexecSeal), "allow");
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    if (number == SYS_memfd_create) continue;
    EXPECT_EQ(ActionName(ActionOf(NoexecFilter(), Call(number))), "allow") << NameOf(number);
  }
}

TEST(SeccompFilter, KillsTheProcessThatUsesTheI386Abi) {
  const int status = UnderTheFilter([] {
    long result = 20;  // getpid
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return 0;
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGSYS);
}

TEST(SeccompFilter, AFailedInstallIsAnError) {
  sys::ScopedFault fault(sys::Call::kSeccomp, EINVAL);
  const auto result = InstallSandboxFilter();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().sys_errno(), EINVAL);
}

}  // namespace
}  // namespace cay::engine::native
