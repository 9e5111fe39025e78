// The calls that every sandbox may make whatever their arguments, by what they are about. Calls
// that depend on arguments, and those that are refused, are in sandbox_policy.h.
#pragma once

#include <sys/syscall.h>

#include <span>
#include <string_view>

#include "base/bpf/syscall_policy.h"

namespace cay::engine::native {

using seccomp::Action;
using seccomp::Condition;
using seccomp::Group;
using seccomp::kSkippedCall;
using seccomp::kX32SyscallBit;
using seccomp::Low32;
using seccomp::Masked;
using seccomp::Not;
using seccomp::OfInternet;
using seccomp::Policy;
using seccomp::Rule;

// Calls that came after the 6.1 headers; arch/x86/entry/syscalls/syscall_64.tbl.
inline constexpr uint32_t kSysFchmodat2 = 452;
inline constexpr uint32_t kSysMapShadowStack = 453;
inline constexpr uint32_t kSysFutexWake = 454;
inline constexpr uint32_t kSysFutexWait = 455;
inline constexpr uint32_t kSysFutexRequeue = 456;
inline constexpr uint32_t kSysMseal = 462;
inline constexpr uint32_t kSysSetxattrat = 463;
inline constexpr uint32_t kSysGetxattrat = 464;
inline constexpr uint32_t kSysListxattrat = 465;
inline constexpr uint32_t kSysRemovexattrat = 466;
inline constexpr uint32_t kSysOpenTreeAttr = 467;

namespace policy_internal {

inline constexpr uint32_t kFileCalls[] = {SYS_read,
                                          SYS_write,
                                          SYS_open,
                                          SYS_close,
                                          SYS_stat,
                                          SYS_fstat,
                                          SYS_lstat,
                                          SYS_poll,
                                          SYS_lseek,
                                          SYS_pread64,
                                          SYS_pwrite64,
                                          SYS_readv,
                                          SYS_writev,
                                          SYS_access,
                                          SYS_pipe,
                                          SYS_select,
                                          SYS_dup,
                                          SYS_dup2,
                                          SYS_sendfile,
                                          SYS_flock,
                                          SYS_fsync,
                                          SYS_fdatasync,
                                          SYS_truncate,
                                          SYS_ftruncate,
                                          SYS_getdents,
                                          SYS_getcwd,
                                          SYS_chdir,
                                          SYS_fchdir,
                                          SYS_rename,
                                          SYS_mkdir,
                                          SYS_rmdir,
                                          SYS_creat,
                                          SYS_link,
                                          SYS_unlink,
                                          SYS_symlink,
                                          SYS_readlink,
                                          SYS_chmod,
                                          SYS_fchmod,
                                          SYS_chown,
                                          SYS_fchown,
                                          SYS_lchown,
                                          SYS_umask,
                                          SYS_utime,
                                          SYS_statfs,
                                          SYS_fstatfs,
                                          SYS_readahead,
                                          SYS_setxattr,
                                          SYS_lsetxattr,
                                          SYS_fsetxattr,
                                          SYS_getxattr,
                                          SYS_lgetxattr,
                                          SYS_fgetxattr,
                                          SYS_listxattr,
                                          SYS_llistxattr,
                                          SYS_flistxattr,
                                          SYS_removexattr,
                                          SYS_fremovexattr,
                                          SYS_lremovexattr,
                                          SYS_epoll_create,
                                          SYS_getdents64,
                                          SYS_epoll_wait,
                                          SYS_epoll_ctl,
                                          SYS_utimes,
                                          SYS_openat,
                                          SYS_mkdirat,
                                          SYS_fchownat,
                                          SYS_futimesat,
                                          SYS_newfstatat,
                                          SYS_unlinkat,
                                          SYS_renameat,
                                          SYS_linkat,
                                          SYS_symlinkat,
                                          SYS_readlinkat,
                                          SYS_fchmodat,
                                          SYS_faccessat,
                                          SYS_pselect6,
                                          SYS_ppoll,
                                          SYS_splice,
                                          SYS_tee,
                                          SYS_vmsplice,
                                          SYS_sync_file_range,
                                          SYS_utimensat,
                                          SYS_epoll_pwait,
                                          SYS_signalfd,
                                          SYS_eventfd,
                                          SYS_fallocate,
                                          SYS_signalfd4,
                                          SYS_eventfd2,
                                          SYS_epoll_create1,
                                          SYS_dup3,
                                          SYS_pipe2,
                                          SYS_preadv,
                                          SYS_pwritev,
                                          SYS_syncfs,
                                          SYS_renameat2,
                                          SYS_copy_file_range,
                                          SYS_pwritev2,
                                          SYS_statx,
                                          SYS_close_range,
                                          SYS_openat2,
                                          SYS_faccessat2,
                                          SYS_epoll_pwait2,
                                          kSysFchmodat2,
                                          kSysSetxattrat,
                                          kSysGetxattrat,
                                          kSysListxattrat,
                                          kSysRemovexattrat,
                                          SYS_inotify_init,
                                          SYS_inotify_init1,
                                          SYS_inotify_add_watch,
                                          SYS_inotify_rm_watch};

inline constexpr uint32_t kMemoryCalls[] = {
    SYS_mprotect,   SYS_munmap,        SYS_brk,        SYS_mremap,     SYS_msync,
    SYS_mlock,      SYS_munlock,       SYS_mlockall,   SYS_munlockall, SYS_mlock2,
    SYS_membarrier, SYS_pkey_mprotect, SYS_pkey_alloc, SYS_pkey_free,  kSysMapShadowStack,
    kSysMseal};

inline constexpr uint32_t kProcessCalls[] = {SYS_fork,
                                             SYS_vfork,
                                             SYS_execve,
                                             SYS_execveat,
                                             SYS_exit,
                                             SYS_exit_group,
                                             SYS_wait4,
                                             SYS_waitid,
                                             SYS_getpid,
                                             SYS_getppid,
                                             SYS_gettid,
                                             SYS_getpgid,
                                             SYS_setpgid,
                                             SYS_getpgrp,
                                             SYS_getsid,
                                             SYS_setsid,
                                             SYS_getrlimit,
                                             SYS_getrusage,
                                             SYS_times,
                                             SYS_sysinfo,
                                             SYS_uname,
                                             SYS_getpriority,
                                             SYS_ioprio_get,
                                             SYS_sched_yield,
                                             SYS_sched_getparam,
                                             SYS_sched_getscheduler,
                                             SYS_sched_get_priority_max,
                                             SYS_sched_get_priority_min,
                                             SYS_sched_rr_get_interval,
                                             SYS_sched_getaffinity,
                                             SYS_sched_getattr,
                                             SYS_getcpu,
                                             SYS_set_tid_address,
                                             SYS_set_robust_list,
                                             SYS_get_robust_list,
                                             SYS_futex,
                                             SYS_futex_waitv,
                                             kSysFutexWake,
                                             kSysFutexWait,
                                             kSysFutexRequeue,
                                             SYS_rseq,
                                             SYS_arch_prctl,
                                             SYS_restart_syscall,
                                             SYS_getrandom,
                                             SYS_pidfd_open,
                                             SYS_pidfd_send_signal,
                                             SYS_process_mrelease};

inline constexpr uint32_t kDebuggingCalls[] = {SYS_ptrace, SYS_process_vm_readv,
                                               SYS_process_vm_writev, SYS_pidfd_getfd};

inline constexpr uint32_t kSignalAndTimeCalls[] = {SYS_rt_sigaction,
                                                   SYS_rt_sigprocmask,
                                                   SYS_rt_sigreturn,
                                                   SYS_rt_sigpending,
                                                   SYS_rt_sigtimedwait,
                                                   SYS_rt_sigqueueinfo,
                                                   SYS_rt_sigsuspend,
                                                   SYS_sigaltstack,
                                                   SYS_rt_tgsigqueueinfo,
                                                   SYS_kill,
                                                   SYS_tkill,
                                                   SYS_tgkill,
                                                   SYS_pause,
                                                   SYS_nanosleep,
                                                   SYS_clock_nanosleep,
                                                   SYS_getitimer,
                                                   SYS_setitimer,
                                                   SYS_alarm,
                                                   SYS_time,
                                                   SYS_gettimeofday,
                                                   SYS_clock_gettime,
                                                   SYS_clock_getres,
                                                   SYS_timer_create,
                                                   SYS_timer_settime,
                                                   SYS_timer_gettime,
                                                   SYS_timer_getoverrun,
                                                   SYS_timer_delete,
                                                   SYS_timerfd_create,
                                                   SYS_timerfd_settime,
                                                   SYS_timerfd_gettime};

inline constexpr uint32_t kIdentityCalls[] = {
    SYS_getuid,    SYS_getgid,    SYS_geteuid,   SYS_getegid,   SYS_setuid,    SYS_setgid,
    SYS_setreuid,  SYS_setregid,  SYS_getgroups, SYS_setgroups, SYS_setresuid, SYS_getresuid,
    SYS_setresgid, SYS_getresgid, SYS_setfsuid,  SYS_setfsgid,  SYS_capget,    SYS_capset};

inline constexpr uint32_t kSocketCalls[] = {
    SYS_connect,     SYS_accept,   SYS_accept4, SYS_bind,     SYS_listen,   SYS_getsockname,
    SYS_getpeername, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_shutdown, SYS_getsockopt};

inline constexpr uint32_t kQueueCalls[] = {
    SYS_shmat,     SYS_shmctl,       SYS_shmdt,     SYS_semget,       SYS_semop,
    SYS_semctl,    SYS_semtimedop,   SYS_msgget,    SYS_msgsnd,       SYS_msgrcv,
    SYS_msgctl,    SYS_mq_open,      SYS_mq_unlink, SYS_mq_timedsend, SYS_mq_timedreceive,
    SYS_mq_notify, SYS_mq_getsetattr};

inline constexpr uint32_t kSelfSandboxingCalls[] = {
    SYS_seccomp, SYS_landlock_create_ruleset, SYS_landlock_add_rule, SYS_landlock_restrict_self};

constexpr void AddAllowed(Policy& policy) {
  const auto allow = [&policy](std::string_view name, std::string_view why,
                               std::span<const uint32_t> calls) {
    policy.Add({name, why, Action::Allow(), {calls.begin(), calls.end()}});
  };
  allow("files", "the sandbox's own files; permissions, Landlock and the mounts decide",
        kFileCalls);
  allow("memory", "a process's own address space; the memory cgroup counts it", kMemoryCalls);
  allow("processes", "processes of the sandbox's own pid namespace; the pids cgroup counts them",
        kProcessCalls);
  allow("debugging",
        "gdb and strace among processes of one user; seccomp is checked after the tracer has "
        "had its say since Linux 4.8, and Landlock's domain keeps it off the guest; pidfd_getfd is "
        "the guest's own (guest/confinement/command_policy.h)",
        kDebuggingCalls);
  allow("signals and time", "own processes and own timers; reading clocks", kSignalAndTimeCalls);
  allow("identity",
        "without capabilities the kernel refuses what is not the process's own; the guest "
        "needs them to become the requested user",
        kIdentityCalls);
  allow("sockets in use", "which families exist is decided in socket(2)", kSocketCalls);
  allow("System V and POSIX queues", "the sandbox's own IPC namespace", kQueueCalls);
  allow("self-sandboxing",
        "browsers, language runtimes and tools confine themselves further; it can only "
        "take away",
        kSelfSandboxingCalls);
}

}  // namespace policy_internal
}  // namespace cay::engine::native
