// Which cgroup trees this process can see, read from the text of /proc/self/mountinfo and
// /proc/self/cgroup. Pure: no system call is made here.
//
//   CgroupMap map = TRY(DescribeCgroups(mountinfo_text, self_cgroup_text));
//   for (const CgroupPlace& place : map.places) …
//
// Formats: proc_pid_mountinfo(5), cgroups(7) "/proc/pid/cgroup". In a container the mount may show
// only a part of the tree (mountinfo's `root`), and the path of the own group then counts from the
// tree's top, not from the mount's.
#pragma once

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/native/cgroup/cgroup.h"

namespace cay::engine::native {

class ControllerSet {
 public:
  void Add(Controller controller) { bits_.set(static_cast<size_t>(controller)); }
  bool Contains(Controller controller) const { return bits_[static_cast<size_t>(controller)]; }
  bool empty() const { return bits_.none(); }
  size_t size() const { return bits_.count(); }
  bool operator==(const ControllerSet&) const = default;

 private:
  std::bitset<kControllerCount> bits_;
};

// One mounted tree.
struct CgroupPlace {
  std::string mount_point;  // absolute, octal escapes undone
  bool v2 = false;
  bool read_only = false;

  // v1: the controllers that Cay knows of this tree. v2: empty here, see the file
  // cgroup.controllers.
  ControllerSet controllers;

  // This process's own group below mount_point: "" is the mount's top, otherwise "/a/b". Nothing
  // when the mount does not show it.
  std::optional<std::string> own;
};

struct CgroupMap {
  CgroupLayout layout = CgroupLayout::kNone;
  // At most one for each tree. Of several mounts of it: one that is not hidden by another mount,
  // and rather writable, with the own group in view, showing the tree from its top, below
  // /sys/fs/cgroup. Others (a container's, a chroot's) do not count.
  std::vector<CgroupPlace> places;
  // Where this process's own group of a v1 cpuset tree is, which Cay makes no groups in.
  std::optional<std::string> cpuset;
};

// kIo when the text is not what the manual pages describe.
Result<CgroupMap> DescribeCgroups(std::string_view mountinfo, std::string_view self_cgroup);

// The words of a cgroup.controllers file ("cpuset cpu io memory pids"); unknown ones are passed
// over.
ControllerSet ParseControllers(std::string_view text);

// The groups to try for an ordinary user's parent, nearest first: `own` (without a last component
// `owner_leaf`, which Cay made for itself) and what is above it, down to "". For "/a/b": {"/a/b",
// "/a", ""}.
std::vector<std::string> OwnAndAbove(std::string_view own, std::string_view owner_leaf);

}  // namespace cay::engine::native
