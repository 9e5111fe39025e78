// The system calls of every sandbox. Each group says why it is treated as it is.
//
// Point of departure: what the default profile of moby (profiles/seccomp/default.json) allows a
// container without capabilities. Cay takes more away, because the code inside is not trusted and
// because some of those calls spend what all sandboxes of a machine share. Refusals are chosen so
// that programs fall back: ENOSYS says "an older kernel", EPERM "not you"; nothing of the native
// ABI kills. Unknown and future calls are ENOSYS.
//
// A change here shows in seccomp_golden.txt beside it; review both.
#pragma once

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cerrno>

#include "base/bpf/syscall_policy.h"
#include "base/os/linux_abi.h"
#include "engine/native/seccomp/allowed_calls.h"
#include "engine/native/seccomp/socket_calls.h"

namespace cay::engine::native {

// include/uapi/linux/sockios.h and asm-generic/ioctls.h; the libc headers have not all of them.
inline constexpr uint32_t kSiocgskns = 0x894C;
inline constexpr uint32_t kTioclinux = 0x541C;
// include/uapi/linux/personality.h.
inline constexpr uint32_t kPerLinux32 = 0x0008;
inline constexpr uint32_t kUname26 = 0x0002'0000;
inline constexpr uint32_t kAddrNoRandomize = 0x0004'0000;
inline constexpr uint32_t kPersonalityQuery = 0xffff'ffff;
// include/uapi/linux/prctl.h and fcntl.h.
inline constexpr uint32_t kPrSetVma = 0x5356'4d41;
inline constexpr uint32_t kPrSetMemoryMerge = 67;
inline constexpr uint32_t kFSetDelegation = 1024 + 16;

// In the sandbox's pid namespace.
inline constexpr uint32_t kGuestProcess = 1;
inline constexpr uint32_t kGuestSpawner = 2;

// include/uapi/linux/memfd.h, Linux 6.3.
inline constexpr uint32_t kMfdNoexecSeal = 0x8;

// CLONE_NEWTIME is not among them: in clone(2) its bit is part of the exit signal.
inline constexpr uint64_t kCloneNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                             CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                                             CLONE_NEWNET;

namespace policy_internal {

constexpr void AddRefused(Policy& policy) {
  const Action refuse = Action::Errno(EPERM);
  policy.Add({"namespaces",
              "a user namespace of its own would give the code capabilities over nfnetlink, "
              "overlayfs, tc … (CVE-2022-0185, CVE-2023-0386, CVE-2024-1086)",
              refuse,
              {SYS_unshare, SYS_setns}});
  policy.Add({"mounts",
              "masks could be removed, other roots entered, cgroupfs mounted (CVE-2022-0492)",
              refuse,
              {SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_fsopen, SYS_fsconfig,
               SYS_fsmount, SYS_fspick, SYS_open_tree, SYS_move_mount, SYS_mount_setattr,
               kSysOpenTreeAttr, SYS_swapon, SYS_swapoff, SYS_quotactl, SYS_quotactl_fd}});
  policy.Add(
      {"the kernel itself",
       "its code, its log, its accounting, its end",
       refuse,
       {SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load,
        SYS_reboot, SYS_syslog, SYS_acct, SYS_vhangup, SYS_sethostname, SYS_setdomainname}});
  policy.Add({"programs in the kernel",
              "the verifier and the perf core are a steady source of privilege escalation "
              "(CVE-2021-3490, CVE-2022-23222, CVE-2023-2163; CVE-2023-5717)",
              refuse,
              {SYS_bpf, SYS_perf_event_open}});
  policy.Add({"page faults in user space",
              "stops the kernel at will in the middle of a copy, the classic help for winning "
              "races (the exploit of CVE-2016-6187)",
              refuse,
              {SYS_userfaultfd}});
  policy.Add(
      {"file handles and fanotify",
       "handles reach files by inode past every path and mount (shocker, 2014); fanotify "
       "reports handles and whole mounts",
       refuse,
       {SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init, SYS_fanotify_mark}});
  policy.Add({"the machine's clock",
              "one for all sandboxes and the host",
              refuse,
              {SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime}});
  policy.Add({"hardware",
              "ports and segment descriptors (CVE-2015-5157, CVE-2017-17053)",
              refuse,
              {SYS_iopl, SYS_ioperm, SYS_modify_ldt}});
  policy.Add({"other processes' insides",
              "their memory's advice; kernel pointers' order",
              refuse,
              {SYS_kcmp, SYS_process_madvise}});
  policy.Add({"memory placement",
              "moves pages between nodes that all sandboxes share",
              refuse,
              {SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_migrate_pages, SYS_move_pages,
               SYS_set_mempolicy_home_node}});
  policy.Add({"flushing the whole machine",
              "sync(2) waits for every filesystem of the host: in a loop it stalls all neighbours. "
              "libc's sync() cannot fail and hides the refusal; syncfs and fsync work",
              refuse,
              {SYS_sync}});
}

constexpr void AddAbsent(Policy& policy) {
  const Action absent = Action::Errno(ENOSYS);
  policy.Add({"clone3",
              "its flags are behind a pointer, where a filter cannot look; libc falls back to "
              "clone",
              absent,
              {SYS_clone3}});
  policy.Add({"io_uring",
              "does the work of other calls past this filter; CVE-2021-41073, CVE-2022-29582, "
              "CVE-2023-2598; switched off by Android, ChromeOS and moby too",
              absent,
              {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register}});
  policy.Add({"kernel asynchronous I/O",
              "fs.aio-max-nr is one number for the whole machine, which a single sandbox could "
              "use up",
              absent,
              {SYS_io_setup, SYS_io_destroy, SYS_io_getevents, SYS_io_submit, SYS_io_cancel,
               SYS_io_pgetevents}});
  policy.Add({"keyrings",
              "keys outlive processes and are shared by uid (CVE-2016-0728)",
              absent,
              {SYS_add_key, SYS_request_key, SYS_keyctl}});
  policy.Add({"what is in the page cache",
              "to the owner of a file, which id 0 is for all of a template, it tells which pages "
              "of it others use "
              "(CVE-2019-5489)",
              absent,
              {SYS_mincore}});
}

// Templates are files of the host (/usr for one): what is done to their pages in memory is done to
// the machine's.
constexpr void AddPageCache(Policy& policy) {
  policy.Add({"madvise",
              "no pushing out of pages that others use, and none merged with those of others "
              "(memory deduplication "
              "tells its content: CVE-2015-2877); an older kernel does not know the advice either",
              Action::Allow(),
              {SYS_madvise},
              {{{Low32(2, MADV_COLD)}, Action::Errno(EINVAL)},
               {{Low32(2, MADV_PAGEOUT)}, Action::Errno(EINVAL)},
               {{Low32(2, MADV_MERGEABLE)}, Action::Errno(EINVAL)}}});
  policy.Add({"fadvise64",
              "POSIX_FADV_DONTNEED drops pages of any file that can be read. It is advice, which "
              "need not be taken: "
              "answered as done, because programs take an error for a failing disk",
              Action::Allow(),
              {SYS_fadvise64},
              {{{Low32(3, POSIX_FADV_DONTNEED)}, Action::Errno(0)}}});
  policy.Add({"preadv2",
              "RWF_NOWAIT tells whether a page is in memory; not every filesystem has it, "
              "overlayfs has not",
              Action::Allow(),
              {SYS_preadv2},
              {{{Masked(5, RWF_NOWAIT, RWF_NOWAIT)}, Action::Errno(EOPNOTSUPP)}}});
}

// The guest is process 1 and its spawner thread 2 (guest/spawn/spawner.cc). Where commands have its
// user id (an ordinary user's sandbox, and id 0) the kernel lets them slow it until it answers
// nobody.
constexpr void AddScheduling(Policy& policy) {
  const Action refuse = Action::Errno(EPERM);
  policy.Add(
      {"scheduling",
       "of anybody but the guest",
       Action::Allow(),
       {SYS_sched_setaffinity, SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr},
       {{{Low32(0, kGuestProcess)}, refuse}, {{Low32(0, kGuestSpawner)}, refuse}}});
  policy.Add({"setpriority",
              "as scheduling; and not of all processes of a user, of which the guest may be one",
              Action::Allow(),
              {SYS_setpriority},
              {{{Low32(0, PRIO_USER)}, refuse},
               {{Low32(1, kGuestProcess)}, refuse},
               {{Low32(1, kGuestSpawner)}, refuse}}});
  policy.Add({"ioprio_set",
              "as setpriority",
              Action::Allow(),
              {SYS_ioprio_set},
              {{{Low32(0, abi::kIoprioWhoUser)}, refuse},
               {{Low32(1, kGuestProcess)}, refuse},
               {{Low32(1, kGuestSpawner)}, refuse}}});
}

constexpr void AddCloneAndFiles(Policy& policy) {
  policy.Add({"clone",
              "processes and threads, but no namespaces",
              Action::Errno(EPERM),
              {SYS_clone},
              {{{Masked(0, kCloneNamespaces, 0)}, Action::Allow()}}});
  policy.Add({"fcntl",
              "no leases and delegations: whoever opens or changes the file then waits for who has "
              "one (/proc/sys/fs/lease-break-time: 45 s), the host too in a mount of its own, "
              "read-only or not. As of a filesystem without them",
              Action::Allow(),
              {SYS_fcntl},
              {{{Low32(1, F_SETLEASE)}, Action::Errno(EINVAL)},
               {{Low32(1, kFSetDelegation)}, Action::Errno(EINVAL)}}});
  policy.Add({"mknod",
              "no device nodes, and so no overlayfs whiteouts either",
              Action::Allow(),
              {SYS_mknod},
              {{{Masked(1, S_IFMT, S_IFCHR)}, Action::Errno(EPERM)},
               {{Masked(1, S_IFMT, S_IFBLK)}, Action::Errno(EPERM)}}});
  policy.Add({"mknodat",
              "as mknod",
              Action::Allow(),
              {SYS_mknodat},
              {{{Masked(2, S_IFMT, S_IFCHR)}, Action::Errno(EPERM)},
               {{Masked(2, S_IFMT, S_IFBLK)}, Action::Errno(EPERM)}}});
  policy.Add({"ioctl",
              "typing into a terminal that others read (TIOCSTI: CVE-2017-5226, TIOCLINUX: "
              "CVE-2023-28100), taking the console, loading line disciplines (CVE-2017-2636, "
              "CVE-2023-6546), a socket's network namespace",
              Action::Allow(),
              {SYS_ioctl},
              {{{Low32(1, TIOCSTI)}, Action::Errno(EPERM)},
               {{Low32(1, kTioclinux)}, Action::Errno(EPERM)},
               {{Low32(1, TIOCCONS)}, Action::Errno(EPERM)},
               {{Low32(1, TIOCSETD)}, Action::Errno(EPERM)},
               {{Low32(1, kSiocgskns)}, Action::Errno(EPERM)}}});
}

constexpr void AddProcessCallsWithArguments(Policy& policy) {
  policy.Add({"personality",
              "only values that change what uname says, or the layout of debugged programs; not "
              "READ_IMPLIES_EXEC or MMAP_PAGE_ZERO",
              Action::Errno(EPERM),
              {SYS_personality},
              {{{Low32(0, 0)}, Action::Allow()},
               {{Low32(0, kPerLinux32)}, Action::Allow()},
               {{Low32(0, kUname26)}, Action::Allow()},
               {{Low32(0, kUname26 | kPerLinux32)}, Action::Allow()},
               {{Low32(0, kAddrNoRandomize)}, Action::Allow()},
               {{Low32(0, kPersonalityQuery)}, Action::Allow()}}});
  const std::string_view why_not_core =
      "the engine sets RLIMIT_CORE to 1, the one value with which the kernel does not start the "
      "host's core dump helper as the host's root (fs/coredump.c; 0 is not enough); whoever asks "
      "for less gets no core dumps, so it is answered as done";
  policy.Add({"setrlimit",
              why_not_core,
              Action::Allow(),
              {SYS_setrlimit},
              {{{Low32(0, RLIMIT_CORE)}, Action::Errno(0)}}});
  policy.Add(
      {"prlimit64",
       "as setrlimit; and only one's own limits: in an ordinary user's sandbox the guest has the "
       "code's user id, and would be starved by it",
       Action::Allow(),
       {SYS_prlimit64},
       {{{Not(Low32(0, 0)), Not(Masked(2, ~0ULL, 0))}, Action::Errno(EPERM)},
        {{Low32(1, RLIMIT_CORE), Not(Masked(2, ~0ULL, 0)), Masked(3, ~0ULL, 0)}, Action::Errno(0)},
        {{Low32(1, RLIMIT_CORE), Not(Masked(2, ~0ULL, 0))}, Action::Errno(EPERM)}}});
  policy.Add({"prctl",
              "everything but rewriting the memory map that /proc shows; core scheduling, which "
              "takes the sibling thread from neighbours; merging all pages with those of others "
              "(as MADV_MERGEABLE); names of mappings, which no memory limit counts. An older "
              "kernel does not know the last two",
              Action::Allow(),
              {SYS_prctl},
              {{{Low32(0, PR_SET_MM)}, Action::Errno(EPERM)},
               {{Low32(0, PR_SCHED_CORE)}, Action::Errno(EPERM)},
               {{Low32(0, kPrSetMemoryMerge)}, Action::Errno(EINVAL)},
               {{Low32(0, kPrSetVma)}, Action::Errno(EINVAL)}}});
}

// Pages of the machine's pools of huge pages belong to no cgroup except hugetlb's, which few
// machines have. The answer is that of a machine whose pools are empty.
constexpr void AddHugePages(Policy& policy) {
  constexpr uint64_t kMapHugetlb = 0x4'0000;  // MAP_HUGETLB, MFD_HUGETLB, SHM_HUGETLB
  constexpr uint64_t kMfdHugetlb = 0x4;
  constexpr uint64_t kShmHugetlb = 04000;
  const auto refuse = [&policy](std::string_view name, uint32_t call, uint8_t flags,
                                uint64_t huge) {
    policy.Add({name,
                "everything but the machine's pool of huge pages, which no memory limit counts",
                Action::Allow(),
                {call},
                {{{Masked(flags, huge, huge)}, Action::Errno(ENOMEM)}}});
  };
  refuse("mmap", SYS_mmap, 3, kMapHugetlb);
  refuse("memfd_create", SYS_memfd_create, 1, kMfdHugetlb);
  refuse("shmget", SYS_shmget, 2, kShmHugetlb);
}

}  // namespace policy_internal

constexpr Policy SandboxPolicy() {
  Policy policy(Action::Errno(ENOSYS));
  policy_internal::AddAllowed(policy);
  policy_internal::AddRefused(policy);
  policy_internal::AddAbsent(policy);
  policy_internal::AddCloneAndFiles(policy);
  policy_internal::AddProcessCallsWithArguments(policy);
  policy_internal::AddHugePages(policy);
  policy_internal::AddSockets(policy);
  policy_internal::AddSending(policy);
  policy_internal::AddSocketOptions(policy);
  policy_internal::AddPageCache(policy);
  policy_internal::AddScheduling(policy);
  return policy;
}

// Added where nothing writable is to be executable. A memfd is a file that can be executed and is
// on no mount, so only those are made that never can be. Before Linux 6.3, which brought the flag,
// there are none: ENOSYS, as before there were memfds.
constexpr Policy NoexecPolicy() {
  Policy policy(Action::Allow());
  policy.Add({"memfd_create",
              "only what is sealed against execution",
              Action::Errno(ENOSYS),
              {SYS_memfd_create},
              {{{Masked(1, kMfdNoexecSeal, kMfdNoexecSeal)}, Action::Allow()}}});
  return policy;
}

}  // namespace cay::engine::native
