// Cgroups of sandboxes: one group each, in whatever layout the machine has.
//
//   CgroupTree tree = TRY(CgroupTree::Discover());
//   Cgroup group = TRY(tree.Create(id));
//   TRY(group.Apply(limits));
//   ... clone3 with CLONE_INTO_CGROUP and group.v2_dir(), or group.Attach(pid) ...
//   TRY(group.Remove());
//
// Layouts: kV2 (one tree), kV1 (a tree for each controller), kHybrid (v1 controllers beside a v2
// tree that has few or none of them). On a hybrid machine a sandbox has a v2 group too: freezing,
// killing at once and CPU time work there without any controller, and entering it costs nothing.
// Source: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/.
//
// Entering a v1 group by pid (Attach) takes a lock that waits for an RCU grace period: 8 µs mostly,
// 14 ms at times. A process of one thread that moves *itself* by writing "0" to `tasks` takes none
// (cgroup_procs_write_start in kernel/cgroup/cgroup.c): that is what OpenEntrances is for. Measured
// on 6.18: p50 8 µs, p99 17 µs, and no such tail.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

enum class CgroupLayout { kNone, kV1, kHybrid, kV2 };
enum class Controller { kMemory, kCpu, kCpuacct, kPids, kFreezer, kIo };
inline constexpr size_t kControllerCount = 6;

std::string_view CgroupLayoutName(CgroupLayout layout);
std::string_view ControllerName(Controller controller);

// What a sandbox sees of its groups, read-only.
struct CgroupView {
  std::string source;  // a path of the host: the group's directory, or one file
  std::string target;  // below /sys/fs/cgroup: "" is that itself, or as in "memory"
  bool directory = true;
};

enum class CgroupPurpose {
  kUse,   // make, move and enable what groups need
  kLook,  // change nothing: for `doctor` and lists
};

struct CgroupUse {
  CgroupPurpose purpose = CgroupPurpose::kUse;
  // The name of the group that holds the sandboxes' groups. Each state directory has one of its
  // own: a clean-up after a crash must not take the groups of another state directory for what was
  // left behind.
  std::string name = "cay";
};

// "cay" for the default state directory, "cay-HASH" for any other.
std::string CgroupParentName(std::string_view state_dir);

// One sandbox's group (in v1: one directory in each controller's tree). Removing is explicit: the
// destructor leaves the group, because sandboxes outlive the process that made them.
class Cgroup {
 public:
  class Impl;
  explicit Cgroup(std::unique_ptr<Impl> impl);
  Cgroup(Cgroup&&) noexcept;
  Cgroup& operator=(Cgroup&&) noexcept;
  ~Cgroup();

  // Sets memory (and no swap), cpus and pids as far as their controllers are there. Also for live
  // changes: a memory limit below what is in use and cannot be reclaimed is kResourceExhausted, and
  // nothing changed.
  Result<void> Apply(const Limits& limits);

  // Moves the process in, in every tree.
  Result<void> Attach(pid_t pid);

  // For CLONE_INTO_CGROUP; nothing where there is no v2 tree. Borrowed: lives as long as this.
  std::optional<int> v2_dir() const;

  // The quick way into the v1 trees: a new process of one thread that was cloned into v2_dir()
  // writes "0" to each of these (write(2) only: it may be between clone3 and execve, in any
  // namespaces, without privileges; the kernel asks what the opener may). Empty in pure v2. Every
  // descriptor is close-on-exec.
  Result<std::vector<Fd>> OpenEntrances() const;

  Result<void>
  Freeze();  // returns when every task is frozen, kTimeout after 2 s (and thawed again)
  Result<void> Thaw();
  Result<Stats> ReadStats() const;  // all but the disk, of which a group knows nothing

  // Takes the limit on processors away, for processes that were killed: a task is throttled on its
  // way to user mode (Linux 6.18), which is where it would take its SIGKILL, and what its group
  // used in the kernel beyond the limit is a debt. Processes that reclaimed memory in vain for 3 s
  // on two processors, with a limit of one, did not die for 13 s. Apply sets it again.
  Result<void> LiftCpus();

  // Where there is a unified tree with the memory controller, its group; otherwise one for each of
  // v1's controllers.
  std::vector<CgroupView> Views() const;

  // SIGKILL to every process in it, frozen ones too, and LiftCpus. It does not wait for their end:
  // Remove does. The end of the group as well: once its cgroup.kill was written, the kernel kills
  // whatever is cloned into it (6.18).
  Result<void> KillAll();

  // Removes the directories; tries again for at most `patience` while the kernel says EBUSY.
  Result<void> Remove(Millis patience = Millis(1000));

 private:
  std::unique_ptr<Impl> impl_;
};

class CgroupTree {
 public:
  class Impl;

  // Reads /proc/self/mountinfo and /proc/self/cgroup, and finds a parent for Cay's groups where
  // this process may make groups: "cay" at the top of the mount for root, a delegated group for an
  // ordinary user. Without one the tree is usable but Has() nothing: its groups take no limits and
  // refuse (kNotSupported) to freeze or kill.
  static Result<CgroupTree> Discover(const CgroupUse& use = {});

  CgroupTree(CgroupTree&&) noexcept;
  CgroupTree& operator=(CgroupTree&&) noexcept;
  ~CgroupTree();

  CgroupLayout layout() const;
  bool Has(Controller controller) const;
  // Why the controller is not there: one sentence, and what would mend it. Empty when it is there.
  std::string WhyNot(Controller controller) const;

  // Makes the group. On error nothing of it remains.
  Result<Cgroup> Create(const SandboxId& id);

  // The group that is there already, in at least one tree; kNotFound otherwise.
  Result<Cgroup> Open(const SandboxId& id);

  // How many processes of the group the kernel killed for want of its memory; nothing where it does
  // not count them. A few microseconds. kNotFound without the group.
  Result<std::optional<uint64_t>> OomKills(const SandboxId& id) const;
  // kNotFound without a group.
  Result<Stats> ReadStats(const SandboxId& id) const;

  // Ids of all groups under Cay's parent, in any tree.
  Result<std::vector<SandboxId>> List() const;

  // Cay's parent in every tree, where it is empty. The tree cannot make groups any more: see
  // cgroup_lease.h.
  void RemoveParents() const;

 private:
  explicit CgroupTree(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cay::engine::native
