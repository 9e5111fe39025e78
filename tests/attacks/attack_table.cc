#include "attack_table.h"

#include <algorithm>
#include <array>

namespace cay::attacks {
namespace {

constexpr const char* kNo = "refused EPERM";
constexpr const char* kThrough = "through*";
// However a file is kept away: not there, not readable, not writable, or there and empty.
constexpr const char* kNotThere = "refused EPERM|refused EACCES|refused ENOENT|refused EROFS|empty";
constexpr const char* kGuestNotThere =
    "refused EPERM|refused EACCES|refused ENOENT|refused ESRCH|empty";

// With --read-only; and what is the sandbox's own anyhow.
constexpr const char* kWriteOutside =
    "write_outside /tmp /var/tmp /run /home /root /workspace /dev/shm /proc /sys";

constexpr std::array kFilesystem = {
    Attack{"ChrootToEscape", "chroot_escape", kNo},
    Attack{"Chroot", "chroot", kNo, kThrough},
    Attack{"DescriptorsOfAFreshProgram", "descriptors", "open: 0 1 2", "open:*"},
    Attack{"WorkingDirectoryOfTheHost", "working_directory", "in /*", "in /*"},
    Attack{"MountTmpfs", "mount_tmpfs", kNo, kThrough},
    Attack{"MountBind", "mount_bind", kNo, kThrough},
    Attack{"RemountTheRootWritable", "remount_writable", kNo, kThrough},
    Attack{"MountProc", "mount_proc", kNo, kThrough},
    Attack{"UmountProc", "umount /proc", kNo, kThrough},
    Attack{"UmountAMask", "umount /proc/kcore", kNo},
    Attack{"UmountTheRoot", "umount /", kNo},
    Attack{"FsOpen", "fsopen", kNo, kThrough},
    Attack{"FsPick", "fspick", kNo, kThrough},
    Attack{"OpenTree", "open_tree", kNo, kThrough},
    Attack{"MoveMount", "move_mount", kNo, kThrough},
    Attack{"MountSetattr", "mount_setattr", kNo, kThrough},
    Attack{"PivotRoot", "pivot_root", kNo, kThrough},
    Attack{"MakeCharacterDevice", "mknod character", kNo, kThrough},
    Attack{"MakeBlockDevice", "mknod block", kNo, kThrough},
    Attack{"CraftAWhiteout", "whiteout", kNo, kThrough},
    Attack{"OverlayAttributes", "setxattr trusted.overlay.opaque",
           "refused EPERM|refused EOPNOTSUPP"},
    Attack{"FileCapabilities", "setxattr security.capability", "refused EPERM|refused EOPNOTSUPP",
           "through|refused EOPNOTSUPP", "", Caller::kBoth, "through|refused EOPNOTSUPP"},
    Attack{"OpenByHandle", "open_by_handle", kNo, kThrough},
    Attack{"NameToHandle", "name_to_handle", kNo, kThrough},
    Attack{"MountsAreNosuidAndNodev", "mount_flags", "nosuid and nodev everywhere", "without*"},
    Attack{"WriteToUsr", "create /usr/attack", "refused EACCES|refused EROFS", kThrough, "",
           Caller::kRoot, kThrough},
    Attack{"WriteToEtc", "create /etc/attack", "refused EACCES|refused EROFS", kThrough, "",
           Caller::kRoot, kThrough},
    Attack{"WriteToTheRoot", "create /attack-file", "refused EACCES|refused EROFS", kThrough, "",
           Caller::kRoot, kThrough},
    Attack{"FillTheDisk", "fill_blocks /tmp", "refused ENOSPC after *|refused EDQUOT after *", "",
           "--disk 32m"},
    Attack{"FillTheInodes", "fill_inodes /tmp 200000", "refused ENOSPC after some", "",
           "--disk 32m"},
    Attack{"ReadOnlyKeepsItsWord", kWriteOutside, "nothing", "", "--read-only"},
    Attack{"ReadOnlyKeepsItsWordAgainstId0", kWriteOutside, "nothing", "", "--read-only -u 0",
           Caller::kRoot},
    Attack{"ReadOnlyWithNoexec", kWriteOutside, "nothing", "", "--read-only --noexec -u 0",
           Caller::kRoot},
    Attack{"WithoutReadOnlyId0Writes", kWriteOutside, kThrough, "", "-u 0", Caller::kRoot},
    Attack{"ReadOnlyLinksFromTheWorkspace", "bring /workspace /usr/lib",
           "refused EXDEV|refused EROFS", "", "--read-only"},
    Attack{"ReadOnlyLinksOfId0", "bring /tmp /etc", "refused EXDEV|refused EROFS", "",
           "--read-only -u 0", Caller::kRoot},
    Attack{"ReadOnlyIsNotRemounted", "remount_writable", kNo, "", "--read-only -u 0",
           Caller::kRoot},
    Attack{"ReadOnlyIsNotSetWritable", "mount_setattr", kNo, "", "--read-only -u 0", Caller::kRoot},
    Attack{"ReadOnlyMountsAreNosuidAndNodev", "mount_flags", "nosuid and nodev everywhere", "",
           "--read-only"},
};

constexpr std::array kProc = {
    Attack{"CorePattern", "write /proc/sys/kernel/core_pattern |/tmp/x", kNotThere},
    Attack{"ModprobePath", "write /proc/sys/kernel/modprobe /tmp/x", kNotThere},
    Attack{"SysRq", "write /proc/sysrq-trigger h", kNotThere},
    Attack{"BinfmtMisc", "write /proc/sys/fs/binfmt_misc/register :x:M::x::/tmp/x:", kNotThere},
    Attack{"PanicOnOom", "write /proc/sys/vm/panic_on_oom 0", kNotThere},
    Attack{"UeventHelper", "write /sys/kernel/uevent_helper /tmp/x", kNotThere},
    Attack{"KernelMemory", "read /proc/kcore", kNotThere, "through|refused ENOENT"},
    Attack{"KernelSymbols", "kernel_symbols", "no addresses", kThrough},
    Attack{"Keys", "read /proc/keys", kNotThere, "through|empty"},
    Attack{"TimerList", "read /proc/timer_list", kNotThere, kThrough},
    Attack{"SchedDebug", "read /sys/kernel/debug/sched/debug", kNotThere},
    Attack{"KernelLog", "read /dev/kmsg", kNotThere},
    Attack{"KernelLogOfProc", "read /proc/kmsg", kNotThere},
    Attack{"LocksOfTheMachine", "read /proc/locks", kNotThere},
    Attack{"CommandLineOfTheMachine", "read /proc/cmdline", kNotThere, kThrough},
    Attack{"InterruptsOfTheMachine", "read /proc/interrupts", kNotThere, kThrough},
    Attack{"DiskStatisticsOfTheMachine", "read /proc/diskstats", kNotThere, "through|empty"},
    Attack{"CgroupsOfTheMachine", "cgroup_counts", "no counts", kThrough},
    Attack{"CgroupsOfOthers", "groups_of_others", "none"},
    Attack{"PressureOfTheMachine", "write /proc/pressure/memory some_150000_2000000", kNotThere},
    Attack{"PressureOfTheMachineRead", "list_directory /proc/pressure", kNotThere},
    Attack{"TerminalDriversOfTheMachine", "read /proc/tty/drivers", kNotThere, kThrough},
    Attack{"BootIdOfTheMachine", "read /proc/sys/kernel/random/boot_id", kNotThere, kThrough},
    Attack{"OpenFilesOfTheMachine", "read /proc/sys/fs/file-nr", kNotThere, kThrough},
    Attack{"TerminalsOfTheMachine", "read /proc/sys/kernel/pty/nr", kNotThere, kThrough},
    Attack{"LocksOfTheMachineAsId0", "read /proc/locks", kNotThere, "", "-u 0", Caller::kRoot},
    Attack{"UuidsWork", "read /proc/sys/kernel/random/uuid", kThrough, kThrough},
    Attack{"PhysicalMemory", "read /dev/mem", kNotThere},
    Attack{"PageMapOfTheKernel", "read /proc/kpagecount", kNotThere, kThrough},
    Attack{"Powercap", "list_directory /sys/devices/virtual/powercap", kNotThere},
    Attack{"Firmware", "list_directory /sys/firmware", kNotThere},
    Attack{"AcpiOfProc", "list_directory /proc/acpi", kNotThere},
    Attack{"ScsiOfProc", "list_directory /proc/scsi", kNotThere},
    Attack{"SecurityFilesystem", "list_directory /sys/kernel/security", kNotThere},
    Attack{"DebugFilesystem", "list_directory /sys/kernel/debug", kNotThere},
    Attack{"Tracing", "list_directory /sys/kernel/tracing", kNotThere},
    Attack{"WritableKnobsOfProc", "writable_knobs /proc/sys", "no writable knobs", kThrough},
    // There is no sysfs: three files of the writable layer.
    Attack{"WritableKnobsOfSys", "writable_knobs /sys", "no writable knobs", kThrough, "",
           Caller::kBoth,
           "through writable: /sys/devices/system/cpu/present /sys/devices/system/cpu/possible "
           "/sys/devices/system/cpu/online"},
    Attack{"UidMap", "write /proc/self/uid_map 0_0_1", kNotThere, "refused*"},
    Attack{"SetgroupsOfTheNamespace", "write /proc/self/setgroups allow", kNotThere},
    Attack{"LowerOomScore", "lower_oom_score", "refused EACCES|refused EPERM"},
    Attack{"GuestRoot", "list_directory /proc/1/root", kGuestNotThere, kThrough},
    Attack{"GuestMemory", "read /proc/1/mem", kGuestNotThere, "refused EIO"},
    Attack{"GuestMaps", "read /proc/1/maps", kGuestNotThere, kThrough},
    Attack{"GuestEnvironment", "read /proc/1/environ", kGuestNotThere, kThrough},
    Attack{"GuestDescriptors", "list_directory /proc/1/fd", kGuestNotThere, kThrough},
    Attack{"GuestExecutable", "readlink /proc/1/exe", kGuestNotThere, kThrough},
    Attack{"GuestExecutableWritten", "write /proc/1/exe x", kGuestNotThere, "refused ETXTBSY"},
    Attack{"GuestStack", "read /proc/1/stack", kGuestNotThere, kThrough},
    Attack{"GuestSystemCall", "read /proc/1/syscall", kGuestNotThere, kThrough},
    Attack{"OwnExecutableWritten", "write /proc/self/exe x",
           "refused ETXTBSY|refused EROFS|refused EACCES|refused EPERM", "refused ETXTBSY"},
    Attack{"ReleaseAgent", "write /sys/fs/cgroup/release_agent /tmp/x", kNotThere},
    Attack{"ReleaseAgentOfMemory", "write /sys/fs/cgroup/memory/release_agent /tmp/x", kNotThere},
    Attack{"LeaveTheCgroup", "write /sys/fs/cgroup/cgroup.procs 0", kNotThere},
    Attack{"LeaveTheMemoryCgroup", "write /sys/fs/cgroup/memory/cgroup.procs 0", kNotThere,
           kThrough},
    Attack{"MountCgroup", "mount_cgroup", kNo, kThrough},
    Attack{"CoreDumpHelperOfTheHost", "core_limit", "helpers are not run", kThrough},
    Attack{"ACrashEndsOnlyTheCrashed", "crash", "killed SIGSEGV", "killed SIGSEGV"},
};

// kRootCapabilities of base/privileges.h.
constexpr const char* kOfRoot = "00000000800001fb";
constexpr const char* kZeroes = "0\t0\t0\t0";

constexpr std::array kPrivilege = {
    Attack{"NoEffectiveCapabilities", "status CapEff", "0000000000000000",
           "000001ff*|000000f*|000001f*", "", Caller::kBoth, kOfRoot},
    Attack{"NoPermittedCapabilities", "status CapPrm", "0000000000000000",
           "000001ff*|000000f*|000001f*", "", Caller::kBoth, kOfRoot},
    Attack{"NoInheritableCapabilities", "status CapInh", "0000000000000000"},
    Attack{"NoBoundingCapabilities", "status CapBnd", "0000000000000000",
           "000001ff*|000000f*|000001f*", "", Caller::kBoth, kOfRoot},
    Attack{"NoAmbientCapabilities", "status CapAmb", "0000000000000000"},
    Attack{"NoNewPrivileges", "status NoNewPrivs", "1", "0"},
    Attack{"SeccompFilter", "status Seccomp", "2", "0"},
    Attack{"UserId", "status Uid", "1000\t1000\t1000\t1000", kZeroes, "", Caller::kBoth, kZeroes},
    Attack{"GroupId", "status Gid", "1000\t1000\t1000\t1000", kZeroes, "", Caller::kBoth, kZeroes},
    Attack{"UnshareUser", "unshare user", kNo, kThrough},
    Attack{"UnshareMount", "unshare mnt", kNo, kThrough},
    Attack{"UnsharePid", "unshare pid", kNo, kThrough},
    Attack{"UnshareNet", "unshare net", kNo, kThrough},
    Attack{"UnshareIpc", "unshare ipc", kNo, kThrough},
    Attack{"UnshareUts", "unshare uts", kNo, kThrough},
    Attack{"UnshareCgroup", "unshare cgroup", kNo, kThrough},
    Attack{"UnshareTime", "unshare time", kNo, kThrough},
    Attack{"CloneUser", "clone user", kNo, kThrough},
    Attack{"CloneMount", "clone mnt", kNo, kThrough},
    Attack{"ClonePid", "clone pid", kNo, kThrough},
    Attack{"CloneNet", "clone net", kNo, kThrough},
    Attack{"CloneIpc", "clone ipc", kNo, kThrough},
    Attack{"CloneUts", "clone uts", kNo, kThrough},
    Attack{"CloneCgroup", "clone cgroup", kNo, kThrough},
    Attack{"Clone3User", "clone3 user", "refused ENOSYS", kThrough},
    Attack{"Clone3Mount", "clone3 mnt", "refused ENOSYS", kThrough},
    Attack{"Clone3Time", "clone3 time", "refused ENOSYS", kThrough},
    Attack{"Clone3Plain", "clone3 none", "refused ENOSYS", kThrough},
    Attack{"NestedUserNamespaceWithNfnetlink", "nested_nfnetlink", kNo,
           "through|refused EPROTONOSUPPORT"},
    Attack{"ParentUserNamespace", "parent_namespace", kNo},
    Attack{"SetNsOwnUser", "setns self user", kNo, "refused EINVAL"},
    Attack{"SetNsOwnMount", "setns self mnt", kNo, kThrough},
    Attack{"SetNsOwnPid", "setns self pid", kNo, kThrough},
    Attack{"SetNsOwnNet", "setns self net", kNo, kThrough},
    Attack{"SetNsOwnUts", "setns self uts", kNo, kThrough},
    Attack{"SetNsOwnIpc", "setns self ipc", kNo, kThrough},
    Attack{"SetNsOwnCgroup", "setns self cgroup", kNo, kThrough},
    Attack{"SetNsOwnTime", "setns self time", kNo, kThrough},
    Attack{"SetNsGuestUser", "setns 1 user", kGuestNotThere, "refused EINVAL"},
    Attack{"SetNsGuestMount", "setns 1 mnt", kGuestNotThere, kThrough},
    Attack{"SetNsGuestNet", "setns 1 net", kGuestNotThere, kThrough},
    Attack{"SetNsGuestPid", "setns 1 pid", kGuestNotThere, kThrough},
    Attack{"SetNsByPidfd", "setns_pidfd", kNo, kThrough},
    Attack{"CapSet", "capset", kNo, kThrough},
    Attack{"RaiseAmbient", "ambient", kNo},
    Attack{"KeepCaps", "keepcaps", "refused EPERM|refused EINVAL", kThrough, "", Caller::kBoth,
           kThrough},
    Attack{"BecomeRoot", "setuid", "refused EPERM|refused EINVAL", kThrough, "", Caller::kBoth,
           kThrough},
    Attack{"BecomeRootGroup", "setgid", "refused EPERM|refused EINVAL", kThrough, "", Caller::kBoth,
           kThrough},
    Attack{"DropGroups", "setgroups", kNo, kThrough, "", Caller::kBoth, kThrough},
    Attack{"SecureBits", "securebits", kNo, kThrough, "", Caller::kBoth, kThrough},
    Attack{"UnsetNoNewPrivileges", "unset_no_new_privs", "refused EINVAL", "refused EINVAL"},
    Attack{"KillGuest", "kill 1 9", kNo, kThrough},
    Attack{"StopGuest", "kill 1 19", kNo, kThrough},
    Attack{"TerminateGuest", "kill 1 15", kNo, kThrough},
    Attack{"HangUpGuest", "kill 1 1", kNo, kThrough},
    Attack{"SignalZeroToGuest", "kill 1 0", kNo, kThrough},
    Attack{"KillEverybody", "kill_all", "killed only its own", "killed only its own"},
    // For an ordinary user's sandbox the guest has the code's own user id, and one of its threads
    // is in the code's Landlock domain: signals reach it, and the kernel drops them, because it is
    // process 1 (sig_task_ignored). A verdict at all says that it went on serving.
    Attack{"KillGuestThreads", "kill_threads 9", "refused EPERM|through 2", kThrough},
    Attack{"StopGuestThreads", "kill_threads 19", "refused EPERM|through 2", kThrough},
    Attack{"SegfaultGuestThreads", "kill_threads 11", "refused EPERM|through 2", kThrough},
    Attack{"KillGuestThreadsOfRoot", "kill_threads 9", kNo, "", "", Caller::kRoot, "through 2"},
    Attack{"KillGuestByPidfd", "pidfd_signal 9", kNo, kThrough},
    Attack{"SignalGuestAsOwnerOfADescriptor", "owner_signal", "the guest is there"},
    Attack{"PtraceAttachGuest", "ptrace_attach", kNo, kThrough},
    Attack{"PtraceSeizeGuest", "ptrace_seize", kNo, kThrough},
    Attack{"PtraceOwnChildWorks", "ptrace_own_child", "works", "works"},
    Attack{"ReadGuestMemory", "read_memory", kNo, kThrough},
    Attack{"WriteGuestMemory", "write_memory", kNo, kThrough},
    Attack{"PidfdGetFdOfGuest", "pidfd_getfd", kNo, kThrough},
    Attack{"KcmpGuest", "kcmp", kNo, kThrough},
    Attack{"SlowGuestByNice", "slow_guest nice", kNo},
    Attack{"SlowGuestByNiceOfItsGroup", "slow_guest nice_group", kNo},
    Attack{"SlowGuestByNiceOfItsUser", "slow_guest nice_user", kNo, kThrough},
    Attack{"SlowGuestByInputAndOutput", "slow_guest ioprio", kNo},
    Attack{"SlowGuestByInputAndOutputOfItsUser", "slow_guest ioprio_user", kNo, kThrough},
    Attack{"SlowGuestByAffinity", "slow_guest affinity", kNo},
    Attack{"SlowGuestByPolicy", "slow_guest policy", kNo},
    Attack{"SlowGuestByParameter", "slow_guest parameter", kNo},
    Attack{"SlowGuestByAttributes", "slow_guest attributes", kNo},
    Attack{"SlowGuestOfId0ByNice", "slow_guest nice", kNo, "", "-u 0", Caller::kRoot},
    Attack{"SlowGuestOfId0ByAffinity", "slow_guest affinity", kNo, "", "-u 0", Caller::kRoot},
    Attack{"SlowGuestOfId0ByAttributes", "slow_guest attributes", kNo, "", "-u 0", Caller::kRoot},
    Attack{"SlowingOneselfWorks", "slow_oneself", "works", "works"},
    Attack{"OomScoreOfGuest", "write /proc/1/oom_score_adj 1000", kNotThere},
    Attack{"OomScoreOfGuestsThread", "write /proc/2/oom_score_adj 1000", kNotThere},
    Attack{"OomScoreOfGuestOfId0", "write /proc/1/oom_score_adj 1000", kNotThere, "", "-u 0",
           Caller::kRoot},
    Attack{"OomScoreOfGuestsThreadOfId0", "write /proc/2/oom_score_adj 1000", kNotThere, "", "-u 0",
           Caller::kRoot},
    Attack{"LimitGuest", "guest_limits", kNo},
    // The guest's own has a name in the sandbox's network namespace, and no path there.
    Attack{"ListeningSocketsOfTheHost", "listening_sockets", "none|through  /proc/self/fd/*"},
    Attack{"GuestSocketByItsName", "unix /proc/self/fd/11/guest.sock", "refused ENOENT"},
    Attack{"GuestSocketThroughTheGuest", "unix /proc/1/fd/3", kGuestNotThere},
    Attack{"TypeIntoTheTerminal", "tiocsti", kNo, kThrough},
    Attack{"TypeIntoTheTerminalByHighBits", "ioctl 0x100005412", kNo},
    Attack{"TiocLinux", "ioctl 0x541C", kNo, kThrough},
    Attack{"TakeTheConsole", "ioctl 0x541D", kNo},
    Attack{"LineDiscipline", "ioctl 0x5423", kNo, kThrough},
    Attack{"NamespaceOfASocket", "ioctl 0x894C", kNo, kThrough},
};

constexpr const char* kNoFamily = "refused EAFNOSUPPORT";
constexpr const char* kNoProtocol = "refused EPROTONOSUPPORT";
constexpr const char* kAbsent = "refused ENOSYS";

constexpr std::array kKernel = {
    Attack{"IoUring", "io_uring", kAbsent, kThrough},
    Attack{"KernelAio", "aio", kAbsent, kThrough},
    Attack{"Bpf", "bpf", kNo, kThrough},
    Attack{"PerfEventOpen", "perf_event_open", kNo, kThrough},
    Attack{"UserFaultFd", "userfaultfd", kNo, kThrough},
    Attack{"AddKey", "add_key", kAbsent, kThrough},
    Attack{"KeyCtl", "keyctl", kAbsent, kThrough},
    Attack{"RequestKey", "request_key", kAbsent, kThrough},
    Attack{"SocketAlg", "socket 38 5 0", kNoFamily},
    Attack{"SocketVsock", "socket 40 1 0", kNoFamily},
    Attack{"SocketPacket", "socket 17 3 768", kNoFamily, kThrough},
    Attack{"SocketXdp", "socket 44 3 0", kNoFamily},
    Attack{"SocketTipc", "socket 30 4 0", kNoFamily},
    Attack{"SocketCan", "socket 29 3 1", kNoFamily},
    Attack{"SocketBluetooth", "socket 31 3 1", kNoFamily},
    Attack{"SocketKcm", "socket 41 2 0", kNoFamily},
    Attack{"SocketSmc", "socket 43 1 0", kNoFamily},
    Attack{"SocketRds", "socket 21 5 0", kNoFamily},
    Attack{"SocketKey", "socket 15 3 2", kNoFamily},
    Attack{"SocketRaw", "socket 2 3 1", kNo, kThrough},
    Attack{"SocketRawSix", "socket 10 3 58", kNo, kThrough},
    Attack{"SocketSctp", "socket 2 1 132", kNoProtocol},
    Attack{"SocketDccp", "socket 2 6 0", "refused ESOCKTNOSUPPORT"},
    Attack{"SocketMptcp", "socket 2 1 262", kNoProtocol},
    Attack{"NetlinkNetfilter", "socket 16 3 12", kNoProtocol, "through|refused EPROTONOSUPPORT"},
    Attack{"NetlinkXfrm", "socket 16 3 6", kNoProtocol, "through|refused EPROTONOSUPPORT"},
    Attack{"NetlinkAudit", "socket 16 3 9", kNoProtocol, "through|refused EPROTONOSUPPORT"},
    Attack{"NetlinkGeneric", "socket 16 3 16", kNoProtocol, kThrough},
    Attack{"NetlinkUevent", "socket 16 3 15", kNoProtocol, kThrough},
    Attack{"NetlinkRouteWorks", "socket 16 3 0", "through", kThrough},
    Attack{"Int80", "int80", "killed SIGSYS", kThrough},
    Attack{"Int80SocketCall", "int80_socketcall", "killed SIGSYS", kThrough},
    Attack{"X32", "x32", "killed SIGSYS", "through|refused ENOSYS"},
    Attack{"Personality", "personality", kNo, kThrough},
    Attack{"ModifyLdt", "modify_ldt", kNo, "through|refused ENOSYS"},
    Attack{"Iopl", "iopl", kNo, "through|refused ENOSYS"},
    Attack{"IoPerm", "ioperm", kNo, "through|refused ENOSYS"},
    Attack{"KexecLoad", "kexec_load", kNo},
    Attack{"KexecFileLoad", "kexec_file_load", kNo, "through|refused ENOSYS"},
    Attack{"InitModule", "init_module", kNo},
    Attack{"FinitModule", "finit_module", kNo, "through|refused ENOSYS"},
    Attack{"DeleteModule", "delete_module", kNo, "through|refused ENOSYS"},
    Attack{"Reboot", "reboot", kNo},
    Attack{"SwapOn", "swapon", kNo, kThrough},
    Attack{"SwapOff", "swapoff", kNo, kThrough},
    Attack{"QuotaCtl", "quotactl", kNo},
    Attack{"SetTimeOfDay", "settimeofday", kNo, kThrough},
    Attack{"ClockSetTime", "clock_settime", kNo, kThrough},
    Attack{"AdjTimex", "adjtimex", kNo, kThrough},
    Attack{"FanotifyInit", "fanotify_init", kNo, kThrough},
    Attack{"Acct", "acct", kNo},
    Attack{"Syslog", "syslog", kNo, kThrough},
    Attack{"SetHostName", "sethostname", kNo, kThrough},
    Attack{"Vhangup", "vhangup", kNo, kThrough},
    Attack{"SetMempolicy", "set_mempolicy", kNo, "through|refused ENOSYS"},
    Attack{"SyncTheMachine", "sync", kNo, kThrough},
    Attack{"RandomCallsToTwoHundred", "random_calls 0 199 2 1", "alive"},
    Attack{"RandomCallsToFourHundred", "random_calls 200 399 2 2", "alive"},
    Attack{"RandomCallsToSixHundred", "random_calls 400 600 2 3", "alive"},
};

// The page cache of the host's /usr, as root of the sandbox, to whom its files belong there.
constexpr std::array kHostFiles = {
    Attack{"ResidencyByMincore", "mincore /usr/bin/env", kAbsent, kThrough},
    Attack{"ResidencyByMincoreOfId0", "mincore /usr/bin/env", kAbsent, "", "-u 0", Caller::kRoot},
    Attack{"ResidencyByCachestat", "cachestat /usr/bin/env", kAbsent, "through|refused ENOSYS"},
    Attack{"ResidencyByCachestatOfId0", "cachestat /usr/bin/env", kAbsent, "", "-u 0",
           Caller::kRoot},
    Attack{"ResidencyByReadingWithoutWaiting", "read_no_wait /usr/bin/env", "refused EOPNOTSUPP",
           "through|refused EAGAIN"},
    Attack{"ResidencyByReadingAMountWithoutWaiting", "read_no_wait /attack/attack-victim",
           "refused EOPNOTSUPP"},
    Attack{"MergeMemoryWithNeighbours", "merge_memory", "refused EINVAL", "through|refused EINVAL"},
    Attack{"MergeAllMemoryWithNeighbours", "merge_all_memory", "refused EINVAL",
           "through|refused EINVAL"},
    Attack{"EvictPagesOfUsr", "evict /usr/bin/env",
           "cold refused EINVAL, pageout refused EINVAL, dontneed done",
           "cold done, pageout done, dontneed done"},
    Attack{"EvictPagesOfUsrAsId0", "evict /usr/bin/env",
           "cold refused EINVAL, pageout refused EINVAL, dontneed done", "", "-u 0", Caller::kRoot},
    Attack{"NoexecMemfd", "execute_memfd 0", kAbsent, kThrough, "--noexec"},
    Attack{"NoexecMemfdWithExec", "execute_memfd 0x10", kAbsent, "", "--noexec"},
    Attack{"NoexecMemfdOfId0", "execute_memfd 1", kAbsent, "", "--noexec -u 0", Caller::kRoot},
    Attack{"NoexecSealedMemfd", "execute_memfd 0x8", "refused EACCES|refused EPERM|refused EINVAL",
           "refused EACCES|refused EINVAL", "--noexec"},
    Attack{"NoexecSealedMemfdCanBeMade", "make_memfd 0x9", "through|refused EINVAL", "",
           "--noexec"},
    Attack{
        "NoexecWrittenPrograms",
        "execute_written /tmp /dev/shm /workspace /home/user /var/tmp /run /usr/local/bin /opt . /",
        "refused EACCES", kThrough, "--noexec"},
    Attack{"NoexecWrittenProgramsOfId0",
           "execute_written /tmp /dev/shm /workspace /home/user /var/tmp /run /usr/local/bin /opt "
           "/root /mnt /srv . /",
           "refused EACCES", "", "--noexec -u 0", Caller::kRoot},
    Attack{"WithoutNoexecAMemfdIsExecuted", "execute_memfd 0", kThrough},
};

constexpr const char* kNoRoute =
    "refused ENETUNREACH|refused ECONNREFUSED|refused EHOSTUNREACH|refused EACCES";

constexpr std::array kNetwork = {
    Attack{"MetadataAddress", "connect 169.254.169.254 80", kNoRoute},
    Attack{"MetadataAddressSix", "connect fd00:ec2::254 80", kNoRoute},
    Attack{"Internet", "connect 1.1.1.1 53", kNoRoute},
    Attack{"InternetSix", "connect 2606:4700:4700::1111 53", kNoRoute},
    Attack{"PrivateTen", "connect 10.0.0.1 22", kNoRoute},
    Attack{"PrivateSeventeen", "connect 172.17.0.1 2375", kNoRoute},
    Attack{"LinkLocalSix", "connect fe80::1 80 lo", "refused*"},
    Attack{"Broadcast", "send_datagram 255.255.255.255 67", "refused ENETUNREACH|refused EACCES"},
    Attack{"Multicast", "send_datagram 224.0.0.251 5353", "refused ENETUNREACH|refused EACCES"},
    Attack{"NameServer", "send_datagram 8.8.8.8 53", "refused ENETUNREACH|refused EACCES"},
    Attack{"DockerSocket", "unix /var/run/docker.sock", "refused ENOENT|refused EACCES"},
    Attack{"DockerSocketOfRun", "unix /run/docker.sock", "refused ENOENT|refused EACCES"},
    Attack{"SystemBus", "unix /run/dbus/system_bus_socket", "refused ENOENT|refused EACCES"},
    Attack{"OnlyLoopback", "interfaces", "lo"},
    Attack{"OwnLoopbackWorks", "own_loopback", "through"},
};

constexpr std::array kResources = {
    Attack{"ForkUntilRefused", "fork_until_refused", "refused EAGAIN", "", "--pids 64"},
    Attack{"ThreadsUntilRefused", "threads_until_refused", "refused EAGAIN", "", "--pids 64",
           Caller::kRoot},
    Attack{"OpenFiles", "open_files", "refused EMFILE"},
    Attack{"RealTimePriority", "real_time", kNo},
    Attack{"NegativeNice", "negative_nice", "refused EACCES|refused EPERM"},
};

// What the arbiter is asked (guest/confinement/arbiter.h).
constexpr const char* kBounded = "bounded";
constexpr const char* kWrongQuestions =
    "refused EBADF refused ENOTSOCK refused EFAULT refused EINVAL refused ESOCKTNOSUPPORT";
constexpr std::array kQuestions = {
    Attack{"RaiseBuffers", "raise_buffers", kBounded, kThrough},
    Attack{"RaiseBuffersAsRoot", "raise_buffers", kBounded, "", "-u 0", Caller::kRoot},
    Attack{"RaiseBuffersUndumpable", "raise_buffers_undumpable", kBounded, kThrough, "",
           Caller::kRoot},
    // An ordinary user's guest has no capability to look at it with.
    Attack{"RaiseBuffersUndumpableOfAnyUser", "raise_buffers_undumpable", "bounded|refused EPERM"},
    Attack{"RaiseBuffersBehindATracer", "raise_buffers_behind_a_filter trace", kBounded},
    Attack{"RaiseBuffersBehindAListener", "raise_buffers_behind_a_filter listener",
           "refused ENOSYS", "refused ENOSYS"},
    Attack{"ConnectBySending", "connect_by_sending",
           "refused EOPNOTSUPP, refused EOPNOTSUPP, refused EOPNOTSUPP"},
    Attack{"ListenerOfItsOwn", "listener_of_its_own", "refused EBUSY", kThrough},
    Attack{"SwapDescriptorsWhileRaising", "swap_while_raising", kBounded, kThrough},
    Attack{"WrongQuestions", "wrong_questions", kWrongQuestions, kWrongQuestions},
    Attack{"InterfacesAtOnce", "interfaces_at_once 250", "250 of 250", "", "", Caller::kRoot},
    Attack{"InterfacesAtOnceOfAnyUser", "interfaces_at_once 100", "100 of 100", "100 of 100"},
    Attack{"AskUnderSignals", "ask_under_signals", "few left"},
    Attack{"AskWithoutProcesses", "ask_without_processes",
           "refused ENOBUFS, then through|through, then through", "", "--pids 32"},
};

}  // namespace

std::span<const Attack> FilesystemAttacks() { return kFilesystem; }
std::span<const Attack> HostFileAttacks() { return kHostFiles; }
std::span<const Attack> KernelAttacks() { return kKernel; }
std::span<const Attack> NetworkAttacks() { return kNetwork; }
std::span<const Attack> PrivilegeAttacks() { return kPrivilege; }
std::span<const Attack> ProcAttacks() { return kProc; }
std::span<const Attack> QuestionAttacks() { return kQuestions; }
std::span<const Attack> ResourceAttacks() { return kResources; }

bool Matches(std::string_view verdict, std::string_view expected) {
  for (;;) {
    const size_t end = std::min(expected.find('|'), expected.size());
    const std::string_view one = expected.substr(0, end);
    if (one.ends_with('*') ? verdict.starts_with(one.substr(0, one.size() - 1)) : verdict == one) {
      return true;
    }
    if (end == expected.size()) return false;
    expected.remove_prefix(end + 1);
  }
}

}  // namespace cay::attacks
