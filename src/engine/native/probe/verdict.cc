#include "engine/native/probe/verdict.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "base/os/linux_abi.h"
#include "engine/native/cgroup/cgroup_v1.h"
#include "engine/native/spawn/core_helper.h"

namespace cay::engine::native {
namespace {

constexpr std::string_view kAsRoot = "sudo cay ...";

std::string Because(Outcome outcome) {
  if (outcome == kNotTried) return "not reached";
  return ErrnoText(outcome);
}

Protection Limit(std::string key, std::string name) {
  return {ProtectionGroup::kLimits, std::move(key), std::move(name), Status::kEnforced, {}, {}};
}

Protection Isolation(std::string key, std::string name) {
  return {ProtectionGroup::kIsolation, std::move(key), std::move(name), Status::kEnforced, {}, {}};
}

void Lower(Protection& protection, Status status, std::string why, std::string remedy) {
  protection.status = status;
  protection.why = std::move(why);
  protection.remedy = std::move(remedy);
}

std::string CgroupRemedy(const Facts& facts) {
  if (facts.cgroup_layout == CgroupLayout::kNone) {
    return facts.root() ? "mount -t cgroup2 none /sys/fs/cgroup" : std::string(kAsRoot);
  }
  if (facts.root()) return "run cay outside the container, or with a writable /sys/fs/cgroup";
  if (facts.cgroup_layout == CgroupLayout::kV2) {
    return "systemd-run --user --scope -p Delegate=yes cay ...";
  }
  return std::string(kAsRoot);
}

Protection FromController(const Facts& facts, Controller controller, Protection protection) {
  const ControllerFact& fact = facts.controller(controller);
  if (!fact.there) {
    // CgroupTree says "why; what would mend it": the latter is a command here.
    const std::string why = fact.why_not.substr(0, fact.why_not.find("; "));
    Lower(protection, Status::kNotEnforced,
          why.empty() ? "this machine gives Cay no such cgroup controller" : why,
          CgroupRemedy(facts));
  }
  return protection;
}

Protection Swap(const Facts& facts) {
  Protection swap = Limit("swap", "no swap");
  if (facts.swap_bytes == 0) {
    swap.why = "the machine has no swap";
  } else if (!facts.controller(Controller::kMemory).there) {
    Lower(swap, Status::kNotEnforced, "there is no memory controller", CgroupRemedy(facts));
  } else if (!facts.swap_accounting) {
    Lower(swap, Status::kNotEnforced, "the kernel does not count the swap of a cgroup",
          facts.root() ? "swapoff -a" : "sudo swapoff -a");
  }
  return swap;
}

Protection Sockets(const Facts& facts) {
  Protection sockets =
      FromController(facts, Controller::kMemory, Limit("sockets", "queues of TCP and UDP"));
  if (sockets.status != Status::kEnforced || !facts.socket_limits) return sockets;
  if (*facts.socket_limits) {
    sockets.why = "an eighth of the memory limit, beside it";
  } else {
    Lower(sockets, Status::kNotEnforced, "this kernel limits them on cgroups v2 only",
          "add systemd.unified_cgroup_hierarchy=1 to the kernel's command line");
  }
  return sockets;
}

Protection Uncharged(const Facts& facts) {
  Protection uncharged = Limit("uncharged", "memory beside the limit");
  const Outcome outcome = facts.outcomes[Feature::kSeccompListeners];
  if (outcome == kWorks) {
    uncharged.why =
        "at most 27 MiB, and what no kernel charges of 2048 internet sockets: see "
        "docs/security-model.md";
    return uncharged;
  }
  Lower(uncharged, Status::kPartly,
        "listeners of seccomp filters: " + Because(outcome) +
            ": the number of internet sockets is not bounded; netlink sockets and filters of "
            "commands are refused",
        outcome == EBUSY ? "run cay outside the container, whose filter has the one listener"
                         : "use Linux 5.9 or newer");
  return uncharged;
}

// What many sandboxes can use up together is no gap in one of them; but whoever packs a machine
// must know.
void SayShare(Protection& shares, const std::string& what, uint64_t whole, uint64_t share,
              const std::string& remedy) {
  constexpr uint64_t kMany = 1000;
  if (whole == 0 || whole / share >= kMany) return;
  const uint64_t sandboxes = whole / share + 1;
  if (!shares.why.empty()) shares.why += "; ";
  shares.why += std::to_string(sandboxes) + " default sandbox" + (sandboxes == 1 ? "" : "es") +
                " can spend " + what;
  if (sandboxes == 1) Lower(shares, Status::kPartly, shares.why, remedy);
}

Protection SharesOfTheMachine(const Facts& facts) {
  Protection shares = Limit("machine", "shares of the machine");
  const Limits limits;
  SayShare(shares, "fs.file-max (" + std::to_string(facts.max_files) + ")", facts.max_files,
           limits.pids * limits.open_files, "sysctl -w fs.file-max=9223372036854775807");
  if (facts.controller(Controller::kMemory).there) {
    const Bytes queued =
        facts.socket_limits.value_or(false) ? v1::SocketBytes(limits.memory) : limits.memory;
    const std::string remedy = "set limits.memory, or give sandboxes less: --memory 128m";
    SayShare(shares, "net.ipv4.tcp_mem (" + HumanBytes(facts.max_tcp_bytes) + ")",
             facts.max_tcp_bytes, queued, remedy);
    SayShare(shares, "net.ipv4.udp_mem (" + HumanBytes(facts.max_udp_bytes) + ")",
             facts.max_udp_bytes, queued, remedy);
  }
  if (facts.strict_commit) {
    Lower(shares, Status::kPartly,
          "vm.overcommit_memory is 2: the address space that one sandbox reserves counts against "
          "the whole machine",
          "sysctl -w vm.overcommit_memory=0");
  }
  return shares;
}

Protection Pids(const Facts& facts) {
  Protection pids = FromController(facts, Controller::kPids, Limit("pids", "process limit"));
  if (pids.status == Status::kEnforced || facts.root()) return pids;
  // setrlimit(2), and since 5.14 counted for each user namespace: enough where one user is inside.
  pids = Limit("pids", "process limit");
  pids.why = "by RLIMIT_NPROC";
  return pids;
}

Protection OpenFiles(const Facts& facts) {
  Protection files = Limit("open_files", "open files, file size");
  const uint64_t wanted = Limits{}.open_files;
  if (facts.highest_open_files < wanted) {
    Lower(files, Status::kPartly,
          "this process may open " + std::to_string(facts.highest_open_files) +
              " files only, the default is " + std::to_string(wanted),
          "ulimit -Hn " + std::to_string(wanted) + " (as root), then cay ...");
  }
  return files;
}

// Disk and inodes: an image on the state directory's disk for root, a tmpfs otherwise. Both end in
// ENOSPC; only a tmpfs without a memory limit costs the machine memory nobody accounts for.
Protection Disk(const Facts& facts, Protection disk) {
  const Outcomes& out = facts.outcomes;
  if (facts.root() && out.Works(Feature::kLoopDevices) && out.Works(Feature::kMakeExt4)) {
    disk.why = "a filesystem image on the state directory's disk";
    return disk;
  }
  if (!out.Works(Feature::kTmpfs)) {
    Lower(disk, Status::kBlocks, "tmpfs: " + Because(out[Feature::kTmpfs]), std::string(kAsRoot));
    return disk;
  }
  disk.why = facts.controller(Controller::kMemory).there
                 ? "in memory, counted against the memory limit"
                 : "in memory";
  if (!facts.root()) return disk;
  disk.why += out.Works(Feature::kLoopDevices) ? "; on disk after: apt-get install e2fsprogs"
                                               : "; on disk after: modprobe loop";
  return disk;
}

Protection Pause(const Facts& facts) {
  return FromController(facts, Controller::kFreezer, Limit("pause", "pause (freezer)"));
}

std::string UserNamespaceRemedy(const Facts& facts) {
  const std::string sudo = facts.root() ? "" : "sudo ";
  if (facts.max_user_namespaces == 0) return sudo + "sysctl -w user.max_user_namespaces=15000";
  if (!facts.root() && facts.unprivileged_userns_clone == 0) {
    return "sudo sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (!facts.root() && facts.apparmor_restrict_userns.value_or(0) != 0) {
    return "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (facts.root()) return "run cay outside the container, or give the container CAP_SYS_ADMIN";
  return std::string(kAsRoot);
}

// An AppArmor that restricts lets the namespace be made but gives no capabilities in it.
bool RestrictedByApparmor(const Facts& facts) {
  return !facts.root() && facts.apparmor_restrict_userns.value_or(0) != 0;
}

// All of the features, or the first that does not work.
Protection Needs(const Facts& facts, Protection protection, std::initializer_list<Feature> features,
                 const std::string& remedy) {
  for (const Feature feature : features) {
    const Outcome outcome = facts.outcomes[feature];
    if (outcome == kWorks) continue;
    const bool blocked = outcome == kNotTried && feature != Feature::kUserNamespace &&
                         !facts.outcomes.Works(Feature::kUserNamespace);
    Lower(protection, Status::kBlocks,
          std::string(FeatureName(feature)) + ": " +
              (blocked ? "needs a user namespace" : Because(outcome)),
          blocked || RestrictedByApparmor(facts) ? UserNamespaceRemedy(facts) : remedy);
    break;
  }
  return protection;
}

Protection Namespaces(const Facts& facts) {
  return Needs(
      facts, Isolation("namespaces", "namespaces"),
      {Feature::kUserNamespace, Feature::kIdMaps, Feature::kMountNamespace, Feature::kPidNamespace,
       Feature::kUtsNamespace, Feature::kIpcNamespace, Feature::kCgroupNamespace},
      UserNamespaceRemedy(facts));
}

Protection Network(const Facts& facts) {
  return Needs(facts, Isolation("network", "no network"), {Feature::kNetworkNamespace},
               "use a kernel with CONFIG_NET_NS");
}

Protection RootFilesystem(const Facts& facts) {
  Protection root = Needs(facts, Isolation("filesystem", "filesystem of its own"),
                          {Feature::kOverlay, Feature::kTmpfs, Feature::kDevpts},
                          facts.root() ? "modprobe overlay" : "sudo modprobe overlay");
  return root;
}

Protection UserIds(const Facts& facts) {
  Protection ids = Isolation("user_ids", "user ids of its own");
  if (!facts.root()) {
    Lower(
        ids, Status::kPartly,
        "an ordinary user has one id only: inside there is only `user`, and outside all sandboxes "
        "are you",
        std::string(kAsRoot));
    return ids;
  }
  return Needs(facts, std::move(ids),
               {Feature::kIdMaps, Feature::kIdmappedMounts, Feature::kIdmappedUsr,
                Feature::kOverlayOnIdmapped},
               "CAY_STATE_DIR=DIRECTORY cay ..., with a directory on ext4, xfs or btrfs");
}

Protection OwnProc(const Facts& facts) {
  return Needs(facts, Isolation("proc", "/proc of its own"), {Feature::kMountProc},
               "run cay outside the container, or with --security-opt systempaths=unconfined");
}

Protection SystemCalls(const Facts& facts) {
  return Needs(facts, Isolation("seccomp", "system call filter"), {Feature::kSeccomp},
               "use a kernel with CONFIG_SECCOMP_FILTER");
}

Protection Privileges(const Facts& facts) {
  if (facts.root() && facts.suid_dumpable == 1) {
    Protection privileges = Isolation("privileges", "no new privileges, no capabilities");
    Lower(privileges, Status::kBlocks, "fs.suid_dumpable is 1: code inside could reach its guest",
          "sysctl -w fs.suid_dumpable=2");
    return privileges;
  }
  return Needs(facts, Isolation("privileges", "no new privileges, no capabilities"),
               {Feature::kNoNewPrivileges}, "use a newer kernel");
}

Protection Landlock(const Facts& facts) {
  Protection landlock = Isolation("landlock", "Landlock scopes");
  if (facts.outcomes.Works(Feature::kLandlockScopes)) return landlock;
  if (facts.landlock_abi == 0 && facts.landlock_errno == EOPNOTSUPP) {
    Lower(landlock, Status::kNotEnforced, "Landlock is built in but not switched on",
          "add lsm=landlock,... to the kernel's command line (see /sys/kernel/security/lsm)");
  } else if (facts.landlock_abi == 0) {
    Lower(landlock, Status::kNotEnforced, "this kernel has no Landlock", "use Linux 6.12 or newer");
  } else if (facts.landlock_abi < abi::kLandlockAbiWithScopes) {
    Lower(landlock, Status::kNotEnforced,
          "Landlock ABI " + std::to_string(facts.landlock_abi) + " has no scopes (6 has)",
          "use Linux 6.12 or newer");
  } else {
    Lower(landlock, Status::kNotEnforced, Because(facts.outcomes[Feature::kLandlockScopes]),
          UserNamespaceRemedy(facts));
  }
  return landlock;
}

// Of sandboxes with a --mount; a default one has none. docs/security-model.md, decision 21.
Protection Mounts(const Facts& facts) {
  Protection mounts = Isolation("mounts", "sockets and FIFOs of mounts");
  const bool landlock = facts.landlock_abi >= abi::kLandlockAbiWithResolveUnix;
  const std::string later =
      landlock ? "of FIFOs only those that are there when a sandbox starts are out of reach"
               : "only those that are there when a sandbox starts are out of reach (Linux 7.1 "
                 "keeps all sockets away)";
  mounts.why =
      facts.root() && !landlock ? "read-only: no socket is reachable; otherwise " + later : later;
  return mounts;
}

Protection CoreHelper(const Facts& facts) {
  Protection helper = Isolation("core_dumps", "no core dump helper of the host");
  if (!facts.core_helper.empty())
    Lower(helper, Status::kBlocks, facts.core_helper, std::string(kCoreHelperRemedy));
  return helper;
}

Protection NestedNamespaces(const Facts& facts) {
  return Needs(facts, Isolation("nested_namespaces", "no nested namespaces"),
               {Feature::kNamespaceLimits}, "use a kernel with CONFIG_SYSCTL and CONFIG_PROC_FS");
}

Protection KernelCalls(const Facts& facts) {
  return Needs(
      facts, Isolation("kernel", "kernel interfaces"),
      {Feature::kOpenat2, Feature::kPidfd, Feature::kCloseRange, Feature::kExecutableMemfd},
      facts.outcomes[Feature::kExecutableMemfd] == EACCES ? "sysctl -w vm.memfd_noexec=1"
                                                          : "use Linux 5.14 or newer");
}

Protection NetworkWay(std::string key, Feature feature) {
  return {ProtectionGroup::kNetworks,
          std::move(key),
          std::string(FeatureName(feature)),
          Status::kEnforced,
          {},
          {}};
}

// How connections leave a sandbox that has a network. Root's sandboxes have it by either way, and
// by this one where it works; an ordinary user's have the other.
Protection NetworkLookup(const Facts& facts) {
  Protection way = NetworkWay("network_lookup", Feature::kLookup);
  const Outcome outcome = facts.outcomes[Feature::kLookup];
  if (outcome == kWorks) {
    way.why = "for root";
    return way;
  }
  if (!facts.root()) {
    Lower(way, Status::kNotEnforced, "it is for root: an ordinary user has nftables",
          std::string(kAsRoot));
    return way;
  }
  const bool forbidden = outcome == EPERM || outcome == EACCES;
  Lower(way, Status::kNotEnforced, Because(outcome),
        forbidden ? "run cay outside the container, or give it CAP_BPF and CAP_NET_ADMIN"
                  : "use Linux 5.9 or newer with CONFIG_BPF_SYSCALL and CONFIG_NET_SOCK_MSG");
  return way;
}

Protection NetworkRedirect(const Facts& facts) {
  Protection way = NetworkWay("network_redirect", Feature::kRedirect);
  const Outcome outcome = facts.outcomes[Feature::kRedirect];
  if (outcome == kWorks) {
    way.why = "for root and for ordinary users";
    return way;
  }
  const bool blocked = outcome == kNotTried;
  Lower(way, Status::kNotEnforced,
        blocked ? "it needs a user and a network namespace" : Because(outcome),
        blocked ? UserNamespaceRemedy(facts)
                : std::string(facts.root() ? "" : "sudo ") +
                      "modprobe -a nf_tables nft_chain_nat nft_nat");
  return way;
}

Machine MachineOf(const Facts& facts) {
  Machine machine{.kernel = facts.kernel,
                  .architecture = facts.machine,
                  .uid = facts.uid,
                  .cgroup_layout = std::string(CgroupLayoutName(facts.cgroup_layout)),
                  .controllers = {},
                  .landlock_abi = facts.landlock_abi,
                  .features = {},
                  .kvm = facts.kvm,
                  .docker = facts.docker,
                  .runtimes = facts.runtimes};
  for (size_t i = 0; i < kControllerCount; ++i) {
    const std::string name(ControllerName(static_cast<Controller>(i)));
    machine.controllers.push_back({name, name, facts.controllers.at(i).there});
  }
  for (size_t i = 0; i < kFeatureCount; ++i) {
    const auto feature = static_cast<native::Feature>(i);
    const Outcome outcome = facts.outcomes[feature];
    machine.features.push_back(
        {std::string(FeatureKey(feature)), std::string(FeatureName(feature)),
         outcome == kNotTried ? std::nullopt : std::optional(outcome == kWorks)});
  }
  return machine;
}

}  // namespace

Verdict Evaluate(const Facts& facts) {
  Verdict verdict{.machine = MachineOf(facts), .protections = {}};
  verdict.protections = {
      FromController(facts, Controller::kMemory, Limit("memory", "memory limit")),
      Swap(facts),
      FromController(facts, Controller::kCpu, Limit("cpus", "processor limit")),
      Pids(facts),
      Disk(facts, Limit("disk", "disk limit")),
      Disk(facts, Limit("inodes", "inode limit")),
      OpenFiles(facts),
      Sockets(facts),
      Uncharged(facts),
      SharesOfTheMachine(facts),
      Pause(facts),
      Namespaces(facts),
      UserIds(facts),
      RootFilesystem(facts),
      OwnProc(facts),
      Network(facts),
      SystemCalls(facts),
      Privileges(facts),
      Landlock(facts),
      Mounts(facts),
      CoreHelper(facts),
      NestedNamespaces(facts),
      KernelCalls(facts),
      NetworkLookup(facts),
      NetworkRedirect(facts),
  };
  verdict.fully_enforced = std::ranges::all_of(verdict.protections, [](const Protection& p) {
    return p.status == Status::kEnforced || p.group == ProtectionGroup::kNetworks;
  });
  verdict.can_run = std::ranges::none_of(
      verdict.protections, [](const Protection& p) { return p.status == Status::kBlocks; });
  return verdict;
}

}  // namespace cay::engine::native
