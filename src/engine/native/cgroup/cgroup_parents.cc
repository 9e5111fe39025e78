#include "engine/native/cgroup/cgroup_parents.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <expected>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "engine/native/cgroup/cgroup_knobs.h"
#include "engine/native/cgroup/cgroup_processes.h"
#include "engine/native/cgroup/cgroup_v1.h"

namespace cay::engine::native {
namespace {

constexpr const char* kOwnerLeaf = "cay-owner";
constexpr int kDirFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW;
constexpr size_t kMaxMountInfo = 16 << 20;
constexpr int kMaxMoveRounds = 16;
constexpr std::array kLimiting = {Controller::kMemory, Controller::kCpu, Controller::kPids};
constexpr std::array kAll = {Controller::kMemory, Controller::kCpu,     Controller::kCpuacct,
                             Controller::kPids,   Controller::kFreezer, Controller::kIo};

// A value, or why there is none: one sentence for CgroupTree::WhyNot.
template <class T>
using Found = std::expected<T, std::string>;
using Why = std::unexpected<std::string>;

// A group in which "cay" could be made.
struct Spot {
  Fd dir;
  std::string path;
  ControllerSet offers;        // v2: what it can hand down
  bool has_processes = false;  // v2: and is not the real top, so they stand in the way
};

struct Usable {
  std::optional<CgroupParent> parent;
  ControllerSet serves;
};

ControllerSet Minus(const ControllerSet& all, const ControllerSet& without) {
  ControllerSet rest;
  for (Controller controller : kAll) {
    if (all.Contains(controller) && !without.Contains(controller)) rest.Add(controller);
  }
  return rest;
}

ControllerSet Both(const ControllerSet& a, const ControllerSet& b) { return Minus(a, Minus(a, b)); }

std::string NotWritable(const CgroupPlace& place) {
  if (place.read_only) {
    return "the cgroup tree at " + place.mount_point +
           " is mounted read-only; mend it with: mount -o " + "remount,rw " + place.mount_point;
  }
  if (!place.v2)
    return "this user cannot make cgroups below " + place.mount_point + "; run as root";
  return "this user cannot make cgroups below " + place.mount_point +
         "; run as root, or in a group of its own: systemd-run --user --scope -p Delegate=yes "
         "COMMAND";
}

// A group that this process may make groups in and move processes into; nothing otherwise.
std::optional<Spot> OpenSpot(const CgroupPlace& place, const std::string& below) {
  std::string path = place.mount_point + below;
  Result<Fd> dir = sys::OpenAt(AT_FDCWD, path.c_str(), kDirFlags);
  if (!dir) return std::nullopt;
  // Something else may be mounted over it.
  struct statfs info{};
  if (::fstatfs(dir->get(), &info) < 0) return std::nullopt;
  if (info.f_type != (place.v2 ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC)) return std::nullopt;
  if (::faccessat(dir->get(), ".", W_OK, AT_EACCESS) != 0) return std::nullopt;
  if (::faccessat(dir->get(), "cgroup.procs", W_OK, AT_EACCESS) != 0) return std::nullopt;
  return Spot{.dir = *std::move(dir), .path = std::move(path), .offers = {}};
}

Found<CgroupParent> MakeParent(const Spot& spot, const std::string& name) {
  const Result<void> made = sys::MkdirAt(spot.dir.get(), name.c_str(), 0755);
  if (!made && made.error().sys_errno() != EEXIST) {
    return Why("making " + spot.path + "/" + name + " failed: " + made.error().ToString());
  }
  Result<Fd> dir = sys::OpenAt(spot.dir.get(), name.c_str(), kDirFlags);
  if (!dir) return Why(dir.error().ToString());
  return CgroupParent{.dir = *std::move(dir), .path = spot.path + "/" + name, .serves = {}};
}

std::optional<CgroupParent> ExistingParent(const Spot& spot, const std::string& name) {
  Result<Fd> dir = sys::OpenAt(spot.dir.get(), name.c_str(), kDirFlags);
  if (!dir) return std::nullopt;
  return CgroupParent{.dir = *std::move(dir), .path = spot.path + "/" + name, .serves = {}};
}

// Moves everything that is in the group to its leaf. New processes may be born meanwhile: so until
// it is empty.
Result<void> MoveToLeaf(const Spot& spot) {
  const Result<void> made = sys::MkdirAt(spot.dir.get(), kOwnerLeaf, 0755);
  if (!made && made.error().sys_errno() != EEXIST) return made;
  const CgroupDir group(spot.dir.get(), ".");
  const CgroupDir leaf(spot.dir.get(), kOwnerLeaf);
  for (int round = 0; round < kMaxMoveRounds; ++round) {
    const std::vector<pid_t> pids = TRY(ReadProcesses(group));
    if (pids.empty()) return {};
    for (pid_t pid : pids) {
      const Result<void> moved = leaf.Write("cgroup.procs", std::to_string(pid));
      if (!moved && moved.error().sys_errno() != ESRCH) return moved;
    }
  }
  return Failure(
      Error(ErrorCode::kTimeout, Fault::kMachine, "processes keep appearing in " + spot.path));
}

// Hands controllers down to the children of the group; for each that cannot be, the reason is left
// in why_not.
ControllerSet Enable(const CgroupDir& group, const ControllerSet& wanted,
                     std::array<std::string, kControllerCount>& why_not) {
  if (wanted.empty()) return {};
  const Result<std::string> text = group.Read("cgroup.subtree_control");
  ControllerSet enabled = text ? ParseControllers(*text) : ControllerSet();
  for (Controller controller : kLimiting) {
    if (!wanted.Contains(controller) || enabled.Contains(controller)) continue;
    std::string word("+");
    word += ControllerName(controller);
    const Result<void> written = group.Write("cgroup.subtree_control", word);
    if (written) {
      enabled.Add(controller);
    } else {
      why_not.at(static_cast<size_t>(controller)) = written.error().ToString();
    }
  }
  return Both(enabled, wanted);
}

// The top when this process may use it; otherwise the nearest of its own groups that offers most.
std::optional<Spot> ChooseSpotV2(const CgroupPlace& place, const ControllerSet& wanted) {
  std::vector<std::string> candidates = {""};
  std::string own;
  if (place.own) {
    auto chain = OwnAndAbove(*place.own, kOwnerLeaf);
    own = chain.front();
    candidates.insert(candidates.end(), chain.begin(), chain.end());
  }
  std::optional<Spot> best;
  for (const std::string& below : candidates) {
    std::optional<Spot> spot = OpenSpot(place, below);
    if (!spot) continue;
    const CgroupDir group(spot->dir.get(), ".");
    const Result<std::string> offered = group.Read("cgroup.controllers");
    if (!offered) continue;
    spot->offers = Both(ParseControllers(*offered), wanted);
    const bool real_top = !group.Has("cgroup.type");
    if (!real_top && !wanted.empty()) {
      const auto processes = ReadProcesses(group);
      spot->has_processes = processes && !processes->empty();
      // Others' processes are not ours to move.
      if (spot->has_processes && (!place.own || below != own)) spot->offers = {};
    }
    if (!best || spot->offers.size() > best->offers.size()) best = std::move(spot);
    if (best->offers == wanted) break;
  }
  return best;
}

Found<Usable> UseV2(const CgroupPlace& place, const ControllerSet& wanted, const CgroupUse& use,
                    std::array<std::string, kControllerCount>& why_not) {
  std::optional<Spot> spot = ChooseSpotV2(place, wanted);
  if (place.read_only || !spot) return Why(NotWritable(place));
  Usable out;
  for (Controller controller : kLimiting) {
    if (wanted.Contains(controller) && !spot->offers.Contains(controller)) {
      why_not.at(static_cast<size_t>(controller)) =
          "the " + std::string(ControllerName(controller)) + " controller is not handed down to " +
          spot->path +
          "; with systemd: systemctl edit user@.service, [Service] Delegate=cpu memory pids";
    }
  }
  out.serves = spot->offers;
  if (use.purpose == CgroupPurpose::kLook) {
    out.parent = ExistingParent(*spot, use.name);
  } else {
    if (spot->has_processes && !spot->offers.empty()) {
      const Result<void> moved = MoveToLeaf(*spot);
      if (!moved) return Why(moved.error().ToString());
    }
    Found<CgroupParent> parent = MakeParent(*spot, use.name);
    if (!parent) return Why(parent.error());
    const CgroupDir above(spot->dir.get(), ".");
    const CgroupDir cay(parent->dir.get(), ".");
    out.serves = Enable(cay, Enable(above, out.serves, why_not), why_not);
    out.parent = *std::move(parent);
  }
  out.serves.Add(Controller::kFreezer);
  out.serves.Add(Controller::kCpuacct);
  if (out.parent) {
    out.parent->v2 = true;
    out.parent->serves = out.serves;
  }
  return out;
}

Found<Usable> UseV1(const CgroupPlace& place, const ControllerSet& serves, const CgroupUse& use) {
  std::optional<Spot> spot = OpenSpot(place, "");
  if (!spot && place.own && !place.own->empty()) spot = OpenSpot(place, *place.own);
  if (place.read_only || !spot) return Why(NotWritable(place));
  Usable out;
  out.serves = serves;
  if (use.purpose == CgroupPurpose::kLook) {
    out.parent = ExistingParent(*spot, use.name);
  } else {
    Found<CgroupParent> parent = MakeParent(*spot, use.name);
    if (!parent) return Why(parent.error());
    out.parent = *std::move(parent);
    if (serves.Contains(Controller::kMemory)) v1::CountSockets({out.parent->dir.get(), "."});
  }
  if (out.parent) out.parent->serves = serves;
  return out;
}

// Adds what was found, or the reason to every controller that would have been served.
void Collect(CgroupParents& all, const ControllerSet& hoped, Found<Usable> found) {
  for (Controller controller : kAll) {
    if (!hoped.Contains(controller)) continue;
    std::string& why = all.why_not.at(static_cast<size_t>(controller));
    if (!found) {
      if (why.empty()) why = found.error();
    } else if (found->serves.Contains(controller)) {
      all.available.Add(controller);
      why.clear();
    }
  }
  if (found && found->parent) all.parents.push_back(*std::move(found->parent));
}

// Who looks for v1's limits (the JVM, in cgroupSubsystem_linux.cpp of OpenJDK) wants memory, cpu,
// cpuacct and cpuset mounted, or looks at none. Of the trees that have no group for the sandbox a
// single file is shown, which says nothing of others.
std::vector<CgroupView> SignsOf(const CgroupMap& map, const CgroupParents& all) {
  const auto has_v1_group_of = [&](Controller controller) {
    return std::ranges::any_of(all.parents, [controller](const CgroupParent& parent) {
      return !parent.v2 && parent.serves.Contains(controller);
    });
  };
  std::vector<CgroupView> signs;
  if (!has_v1_group_of(Controller::kMemory)) return signs;
  if (map.cpuset) {
    signs.push_back({.source = *map.cpuset + "/cpuset.cpus",
                     .target = "cpuset/cpuset.cpus",
                     .directory = false});
  }
  if (has_v1_group_of(Controller::kCpuacct)) return signs;
  for (const CgroupPlace& place : map.places) {
    if (!place.controllers.Contains(Controller::kCpuacct) || !place.own) continue;
    signs.push_back({.source = place.mount_point + *place.own + "/cgroup.clone_children",
                     .target = "cpuacct/cgroup.clone_children",
                     .directory = false});
  }
  return signs;
}

void ExplainTheRest(CgroupParents& all, const CgroupMap& map) {
  for (Controller controller : kAll) {
    std::string& why = all.why_not.at(static_cast<size_t>(controller));
    if (all.available.Contains(controller) || !why.empty()) continue;
    why = map.places.empty()
              ? "no cgroup tree is mounted; mend it with: mount -t cgroup2 none /sys/fs/cgroup"
              : "no mounted cgroup tree has the " + std::string(ControllerName(controller)) +
                    " controller; the kernel may have been started with cgroup_disable=" +
                    std::string(ControllerName(controller));
  }
}

}  // namespace

Result<CgroupParents> FindCgroupParents(const CgroupUse& use) {
  const CgroupMap map = TRY(DescribeCgroups(TRY(ReadFile("/proc/self/mountinfo", kMaxMountInfo)),
                                            TRY(ReadFile("/proc/self/cgroup"))));
  CgroupParents all;
  all.layout = map.layout;

  ControllerSet in_v1;
  ControllerSet limiting;
  for (Controller controller : kLimiting) {
    limiting.Add(controller);
    for (const CgroupPlace& place : map.places) {
      if (place.controllers.Contains(controller)) in_v1.Add(controller);
    }
  }
  for (const CgroupPlace& place : map.places) {
    if (!place.v2) continue;
    const ControllerSet wanted = Minus(limiting, in_v1);
    ControllerSet hoped = wanted;
    hoped.Add(Controller::kFreezer);
    hoped.Add(Controller::kCpuacct);
    Collect(all, hoped, UseV2(place, wanted, use, all.why_not));
    const auto offered = ReadFile(place.mount_point + "/cgroup.controllers");
    if (offered && ParseControllers(*offered).Contains(Controller::kIo)) {
      all.available.Add(Controller::kIo);
    }
  }
  for (const CgroupPlace& place : map.places) {
    if (place.v2) continue;
    ControllerSet only_io;
    only_io.Add(Controller::kIo);
    if (place.controllers.Contains(Controller::kIo)) all.available.Add(Controller::kIo);
    const ControllerSet serves = Minus(Minus(place.controllers, all.available), only_io);
    if (!serves.empty()) Collect(all, serves, UseV1(place, serves, use));
  }
  ExplainTheRest(all, map);
  all.signs = SignsOf(map, all);
  return all;
}

}  // namespace cay::engine::native
