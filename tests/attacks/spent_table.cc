#include "spent_table.h"

#include <array>

namespace cay::attacks {
namespace {

// Of a sandbox with 512 MiB: an eighth where cgroups are v1 (engine/native/cgroup/cgroup_v1.h), and
// all of it in v2. In pages, with as much for everybody else.
constexpr long kSocketPages = (512 + 128) * 256;

constexpr const char* kNetlink = "unread messages of netlink sockets";
constexpr const char* kNetlinkBound =
    "256 sockets of 60 KiB: made by the guest with small buffers, which grow no further";
constexpr const char* kJit = "`net.core.bpf_jit_limit`: filters of commands (`seccomp`)";
constexpr const char* kJitBound =
    "64 in all threads, 4 on one; `EINVAL` beyond, as of a kernel without them";
constexpr const char* kHugePages = "`vm.nr_hugepages`";
constexpr const char* kHugePagesBound = "refused by the filter, as where the pool is empty";
constexpr const char* kSockets =
    "errors and time stamps queued for senders, connections that are not accepted";
constexpr const char* kSocketsBound =
    "2,048 sockets and connections, and of receive buffer 208 KiB for each (512 KiB for one of "
    "TCP)";
// What has come for a connection that nobody has accepted: a window of 128 KiB and the message over
// it. In pages, with as much for everybody else as above.
constexpr long kBacklogPages = 2'048 * 40 + 128 * 256;

constexpr std::array kTable = {
    Spent{"NetlinkSockets", kNetlink, kNetlinkBound, "spend_netlink", "refused ENOBUFS", 16 * 1024},
    Spent{"NetlinkSocketsInFlight", kNetlink, kNetlinkBound, "spend_netlink_in_flight",
          "refused ENOBUFS", 256},
    Spent{"PingSockets", "answers to pings that are not read",
          "16 sockets of 208 KiB for each of IPv4 and IPv6", "spend_pings", "refused ENOBUFS", 16},
    Spent{"FiltersOfCommands", kJit, kJitBound, "spend_filters", "refused EINVAL", 64},
    Spent{"FiltersOfCommandsAtOnce", kJit, kJitBound, "spend_filters_at_once", "done", 64},
    Spent{"FiltersOfOneThread", kJit, kJitBound, "spend_filters_on_one_thread", "refused EINVAL",
          4},
    Spent{"FiltersOfSockets",
          "`net.core.bpf_jit_limit`: filters of sockets (`SO_ATTACH_FILTER` and its kind)",
          "refused by the filter, as of a kernel without them", "spend_socket_filters",
          "refused ENOPROTOOPT", 0},
    Spent{"TcpQueues", "`net.ipv4.tcp_mem`",
          "the memory limit (v2); an eighth of it, beside it (v1, hybrid)", "spend_tcp",
          "through|refused ENOMEM", 1'000'000, Counter::kTcpPages, kSocketPages, Caller::kRoot},
    Spent{"UdpQueues", "`net.ipv4.udp_mem`",
          "the memory limit (v2); an eighth of it, beside it (v1, hybrid)", "spend_udp",
          "through|refused ENOMEM", 1'000, Counter::kUdpPages, kSocketPages, Caller::kRoot},
    Spent{"QueuesOfErrors", kSockets, kSocketsBound, "spend_sockets", "refused ENOBUFS", 2'048},
    Spent{"Backlogs", kSockets, kSocketsBound, "spend_backlogs", "refused ENOBUFS", 2'048},
    Spent{"ConnectionsOfOneSocket", kSockets, kSocketsBound, "spend_connections_of_one_socket",
          "refused ENOBUFS", 2'048, Counter::kTcpPages, kBacklogPages, Caller::kRoot},
    Spent{"Orphans", "`net.ipv4.tcp_max_orphans`",
          "the 2,048 sockets: one that is closed counts until its data is gone", "spend_orphans",
          "refused ENOBUFS|refused ENOMEM", 2'048},
    Spent{"EndedConnections", "connections in `TIME_WAIT`, `net.ipv4.tcp_max_tw_buckets`",
          "4,096 in the sandbox's network namespace", "spend_ended_connections", "done", 4'096},
    Spent{"MulticastGroups", "multicast groups of sockets and interfaces",
          "refused by the filter, as without an interface for them", "spend_groups",
          "refused ENODEV", 0},
    Spent{"FlowLabels", "4,096 IPv6 flow labels",
          "refused by the filter, as of a kernel without them", "spend_flow_labels",
          "refused ENOPROTOOPT", 0},
    Spent{"KeysOfSockets", "keys and headers of sockets (`net.core.optmem_max` for each)",
          "refused by the filter, as of a kernel without them", "spend_keys_of_sockets",
          "refused ENOPROTOOPT", 0},
    Spent{"HugePagesByMmap", kHugePages, kHugePagesBound, "spend_huge_pages mmap", "refused ENOMEM",
          0},
    Spent{"HugePagesByMemfd", kHugePages, kHugePagesBound, "spend_huge_pages memfd",
          "refused ENOMEM", 0},
    Spent{"HugePagesByShm", kHugePages, kHugePagesBound, "spend_huge_pages shm", "refused ENOMEM",
          0},
    Spent{"OpenFiles", "`fs.file-max`",
          "the limit of processes times that of open files; `cay doctor` says how many sandboxes "
          "reach it",
          "spend_files 100", "refused EMFILE", 100 * 4'096, Counter::kOpenFiles, 256 * 4'096,
          Caller::kRoot},
    Spent{"ContextsOfDescriptors", "what epoll and timer descriptors have beside their file",
          "256 bytes for each open file", "spend_contexts", "refused EMFILE", 16 * 4'096,
          Counter::kNone, 0, Caller::kRoot},
    Spent{"Processes", "`kernel.pid_max`, `kernel.threads-max`",
          "the limit of processes, which counts threads", "spend_pids", "refused EAGAIN", 256,
          Counter::kNone, 0, Caller::kRoot},
    Spent{"Ptys", "`kernel.pty.max`", "64 in the sandbox's own `/dev/pts`", "spend_ptys",
          "refused ENOSPC", 64},
    Spent{"InotifyInstances", "`fs.inotify`",
          "`user.max_inotify_*`, counted for the sandbox's own uids; an ordinary user's sandboxes "
          "share their user's",
          "spend_inotify", "refused EMFILE", 128, Counter::kNone, 0, Caller::kRoot},
    Spent{"MessageQueues", "POSIX message queues", "`RLIMIT_MSGQUEUE`: 256 KiB",
          "spend_message_queues", "refused EMFILE", 32},
    Spent{"PendingSignals", "pending signals and timers", "`RLIMIT_SIGPENDING`: 1,024",
          "spend_signals", "refused EAGAIN", 1'024},
    Spent{"Timers", "pending signals and timers", "`RLIMIT_SIGPENDING`: 1,024", "spend_timers",
          "refused EAGAIN", 1'024},
    Spent{"Aio", "`fs.aio-max-nr`", "refused by the filter, as of a kernel without it", "spend_aio",
          "refused ENOSYS", 0},
    Spent{"Keys", "`kernel.keys.*`", "refused by the filter, as of a kernel without them",
          "spend_keys", "refused ENOSYS", 0},
    Spent{"NamesOfMappings", "names of mappings (`PR_SET_VMA`): up to 80 bytes each",
          "refused by the filter, as of a kernel without them", "spend_names_of_mappings",
          "refused EINVAL", 0},
    Spent{"LoopDevices", "loop devices",
          "none in the sandbox's `/dev`; Cay takes one for each sandbox on disk",
          "spend_loop_devices", "refused ENOENT", 0},
    Spent{"Mounts", "`fs.mount-max`", "refused by the filter", "spend_mounts", "refused EPERM", 0},
    Spent{"ListsOfDirectories",
          "lists of directories that the template and the writable layer have",
          "there is no such directory that ids other than 0 may write to; for id 0 not bounded",
          "spend_lists_of_directories", "through", 100, Counter::kKernelKiB, 100 * 1024,
          Caller::kRoot},
    Spent{"Dentries", "dentries and inodes", "the memory limit", "spend_dentries", "done", 100'000},
};

}  // namespace

std::span<const Spent> SpentTable() { return kTable; }

}  // namespace cay::attacks
