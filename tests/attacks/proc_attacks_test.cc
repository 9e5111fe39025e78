// What a sandbox can read below /proc, file by file. A kernel with a file that is not in the list
// fails here: look at what it tells and what it costs, and then either cover it
// (engine/native/rootfs/proc_masks.cc; at the top of /proc it is covered already) or put it into
// the list.
#include <fnmatch.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "arena.h"
#include "engine/native/rootfs/proc_masks.h"

namespace cay::attacks {
namespace {

// fnmatch(3) patterns, without /proc/; "*" does not match a slash.

// Of the machine as a whole, and needed: docs/security-model.md names them.
constexpr std::array kMachine = {"config.gz", "cpuinfo", "dma",     "execdomains", "filesystems",
                                 "iomem",     "ioports", "loadavg", "meminfo",     "mtrr",
                                 "stat",      "uptime",  "version"};

// The sandbox's own namespaces and the reader's own process.
constexpr std::array kOwn = {
    "cgroups",  // without its counts
    "sysvipc/msg",
    "sysvipc/sem",
    "sysvipc/shm",
    "self/arch_status",
    "self/attr/*",
    "self/attr/*/*",
    "self/autogroup",
    "self/auxv",
    "self/cgroup",
    "self/cmdline",
    "self/comm",
    "self/coredump_filter",
    "self/cpu_resctrl_groups",
    "self/cpuset",
    "self/environ",
    "self/gid_map",
    "self/io",
    "self/ksm_merging_pages",
    "self/ksm_stat",
    "self/latency",
    "self/limits",
    "self/loginuid",
    "self/maps",
    "self/mountinfo",
    "self/mounts",
    "self/mountstats",
    "self/numa_maps",
    "self/oom_adj",
    "self/oom_score",
    "self/oom_score_adj",
    "self/pagemap",
    "self/patch_state",
    "self/personality",
    "self/projid_map",
    "self/sched",
    "self/schedstat",
    "self/seccomp_cache",
    "self/sessionid",
    "self/setgroups",
    "self/smaps",
    "self/smaps_rollup",
    "self/stat",
    "self/statm",
    "self/status",
    "self/syscall",
    "self/timens_offsets",
    "self/timers",
    "self/timerslack_ns",
    "self/uid_map",
    "self/wchan",
};

// Of the sandbox's network namespace, except for what the machine has one of: `sockstat` (memory
// and orphans), `protocols` (memory), `softnet_stat`, `stat/rt_cache`, `rt_acct`, `ptype`. They
// exist for each process and cannot be covered.
constexpr std::array kNetwork = {
    "anycast6",   "arp",           "bnep",         "can/*",        "connector",     "dev",
    "dev_mcast",  "dev_snmp6/*",   "fib_trie",     "fib_triestat", "hci",           "icmp",
    "icmp6",      "if_inet6",      "igmp",         "igmp6",        "ip6_flowlabel", "ip6_mr_cache",
    "ip6_mr_vif", "ip6_tables_*",  "ip_mr_cache",  "ip_mr_vif",    "ip_tables_*",   "ip_vs*",
    "ipv6_route", "l2cap",         "mcfilter",     "mcfilter6",    "netfilter/*",   "netlink",
    "netstat",    "nf_conntrack*", "packet",       "protocols",    "psched",        "ptype",
    "raw",        "raw6",          "rfcomm",       "route",        "rpc/*",         "rpc/*/*",
    "rt6_stats",  "rt_acct",       "rt_cache",     "sco",          "snmp",          "snmp6",
    "sockstat",   "sockstat6",     "softnet_stat", "stat/*",       "tcp",           "tcp6",
    "udp",        "udp6",          "udplite",      "udplite6",     "unix",          "vlan/*",
    "wireless",   "xfrm_stat",     "arp_tables_*",
};

// Settings: constants of the machine, or of the sandbox's own namespaces. None counts what others
// use.
constexpr std::array kSettings = {
    "sys/abi/*",
    "sys/crypto/*",
    "sys/debug/*",
    "sys/dev/*/*",
    "sys/dev/*/*/*",
    "sys/net/*/*",
    "sys/net/*/*/*",
    "sys/net/*/*/*/*",
    "sys/net/*",
    "sys/sunrpc/*",
    "sys/user/*",
    "sys/fs/aio-max-nr",
    "sys/fs/binfmt_misc/*",
    "sys/fs/dentry-negative",
    "sys/fs/dir-notify-enable",
    "sys/fs/epoll/*",
    "sys/fs/fanotify/*",
    "sys/fs/file-max",
    "sys/fs/fuse/*",
    "sys/fs/inotify/*",
    "sys/fs/lease*",
    "sys/fs/mount-max",
    "sys/fs/mqueue/*",
    "sys/fs/nfs/*",
    "sys/fs/nr_open",
    "sys/fs/overflow*",
    "sys/fs/pipe-*",
    "sys/fs/protected_*",
    "sys/fs/quota/*",
    "sys/fs/suid_dumpable",
    "sys/fs/verity/*",
    "sys/fs/xfs/*",
    "sys/kernel/acct",
    "sys/kernel/apparmor*",
    "sys/kernel/arch",
    "sys/kernel/auto_msgmni",
    "sys/kernel/bootloader_*",
    "sys/kernel/bpf_stats_enabled",
    "sys/kernel/cad_pid",
    "sys/kernel/cap_last_cap",
    "sys/kernel/core_*",
    "sys/kernel/ctrl-alt-del",
    "sys/kernel/dmesg_restrict",
    "sys/kernel/domainname",
    "sys/kernel/firmware_config/*",
    "sys/kernel/ftrace_*",
    "sys/kernel/hardlockup_*",
    "sys/kernel/hostname",
    "sys/kernel/hotplug",
    "sys/kernel/hung_task_*",
    "sys/kernel/init_private",
    "sys/kernel/io_delay_type",
    "sys/kernel/io_uring_*",
    "sys/kernel/kexec_load_*",
    "sys/kernel/keys/*",
    "sys/kernel/kptr_restrict",
    "sys/kernel/latencytop",
    "sys/kernel/max_*",
    "sys/kernel/modprobe",
    "sys/kernel/modules_disabled",
    "sys/kernel/msg*",
    "sys/kernel/ngroups_max",
    "sys/kernel/nmi_watchdog",
    "sys/kernel/ns_last_pid",
    "sys/kernel/numa_balancing*",
    "sys/kernel/oops_*",
    "sys/kernel/osrelease",
    "sys/kernel/ostype",
    "sys/kernel/overflow*",
    "sys/kernel/panic*",
    "sys/kernel/perf_*",
    "sys/kernel/pid_max",
    "sys/kernel/poweroff_cmd",
    "sys/kernel/print-fatal-signals",
    "sys/kernel/printk*",
    "sys/kernel/pty/max",
    "sys/kernel/pty/reserve",
    "sys/kernel/random/entropy_avail",
    "sys/kernel/random/poolsize",
    "sys/kernel/random/urandom_min_reseed_secs",
    "sys/kernel/random/uuid",
    "sys/kernel/random/write_wakeup_threshold",
    "sys/kernel/randomize_va_space",
    "sys/kernel/real-root-dev",
    "sys/kernel/sched_*",
    "sys/kernel/seccomp/*",
    "sys/kernel/sem*",
    "sys/kernel/shm*",
    "sys/kernel/soft_watchdog",
    "sys/kernel/softlockup_*",
    "sys/kernel/split_lock_mitigate",
    "sys/kernel/stack_tracer_enabled",
    "sys/kernel/sysctl_writes_strict",
    "sys/kernel/sysrq",
    "sys/kernel/tainted",
    "sys/kernel/task_delayacct",
    "sys/kernel/threads-max",
    "sys/kernel/timer_migration",
    "sys/kernel/traceoff_*",
    "sys/kernel/tracepoint_*",
    "sys/kernel/unknown_nmi_panic",
    "sys/kernel/unprivileged_*",
    "sys/kernel/user_events_max",
    "sys/kernel/version",
    "sys/kernel/warn_limit",
    "sys/kernel/watchdog*",
    "sys/kernel/yama/*",
    "sys/vm/*_ratio",
    "sys/vm/*hugepages*",
    "sys/vm/*userfaultfd",
    "sys/vm/*watermark_*",
    "sys/vm/admin_*",
    "sys/vm/block_dump",
    "sys/vm/compact*",
    "sys/vm/defrag_mode",
    "sys/vm/dirty*",
    "sys/vm/drop_caches",
    "sys/vm/enable_soft_offline",
    "sys/vm/extfrag_threshold",
    "sys/vm/hugetlb_*",
    "sys/vm/laptop_mode",
    "sys/vm/legacy_va_layout",
    "sys/vm/max_map_count",
    "sys/vm/memfd_noexec",
    "sys/vm/memory_failure_*",
    "sys/vm/min_free_kbytes",
    "sys/vm/mmap_*",
    "sys/vm/numa_*",
    "sys/vm/oom_*",
    "sys/vm/overcommit_*",
    "sys/vm/page-cluster",
    "sys/vm/page_lock_unfairness",
    "sys/vm/panic_*",
    "sys/vm/percpu_*",
    "sys/vm/shrink_inodes_with_pagecache",
    "sys/vm/stat_interval",
    "sys/vm/swappiness",
    "sys/vm/user_*",
    "sys/vm/vfs_cache_*",
    "sys/vm/zone_reclaim_mode",
};

bool IsIn(const auto& patterns, const std::string& name) {
  return std::ranges::any_of(patterns, [&](const char* pattern) {
    return ::fnmatch(pattern, name.c_str(), FNM_PATHNAME) == 0;
  });
}

bool IsReviewed(const std::string& path) {
  const std::string name = path.substr(std::string("/proc/").size());
  const std::string network = "self/net/";
  if (name.starts_with(network)) return IsIn(kNetwork, name.substr(network.size()));
  return IsIn(kMachine, name) || IsIn(kOwn, name) || IsIn(kSettings, name);
}

class Proc : public testing::TestWithParam<const char*> {};

TEST_P(Proc, ShowsNothingThatNobodyHasLookedAt) {
  const bool ordinary = std::string_view(GetParam()) == "user";
  const Arena& arena = ordinary && ::geteuid() == 0 ? Arena::OrdinaryUser() : Arena::Own();
  if (!ordinary && ::geteuid() != 0) GTEST_SKIP() << "needs root";
  const bool id0 = std::string_view(GetParam()) == "id0";
  const Outcome outcome = arena.Attack("readable_proc", id0 ? "-u 0" : "")->Wait();
  std::istringstream lines(outcome.out);
  std::string not_reviewed;
  unsigned seen = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("/proc/")) continue;
    ++seen;
    if (!IsReviewed(line)) not_reviewed += line + "\n";
  }
  EXPECT_EQ(not_reviewed, "");
  // The walk saw what there must be.
  EXPECT_GT(seen, 100U) << outcome.err;
  for (const char* needed :
       {"/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/self/status", "/proc/self/net/tcp",
        "/proc/sys/kernel/random/uuid", "/proc/sys/fs/file-max"}) {
    EXPECT_NE(outcome.out.find(std::string(needed) + "\n"), std::string::npos) << needed;
  }
}
INSTANTIATE_TEST_SUITE_P(As, Proc, testing::Values("root", "id0", "user"),
                         [](const auto& test) { return std::string(test.param); });

TEST(ProcMasks, AFileThatAKernelAddsIsCovered) {
  using engine::native::IsLeftInProc;
  for (const char* name : {"locks", "allocinfo", "a-file-of-the-future", "bootconfig", "cmdline"}) {
    EXPECT_FALSE(IsLeftInProc(name)) << name;
  }
  for (const char* name : {"1", "4194304", "self", "meminfo", "sys"})
    EXPECT_TRUE(IsLeftInProc(name)) << name;
}

}  // namespace
}  // namespace cay::attacks
