// Where Cay's groups are made: one directory "cay" in each tree that is needed and that this
// process may use, with the controllers enabled for its children.
//
//   CgroupParents parents = TRY(FindCgroupParents({}));
//
// In v1: at the top of the controller's mount, or in this process's own group where the top is not
// writable. In v2 the same for a process that may write the top; an ordinary user's process gets
// its own group or the nearest one above that it may write and that has the most controllers. A v2
// group with processes in it cannot hand controllers down ("no internal processes"): when that is
// this process's own group, everything in it moves to a leaf "cay-owner" beside "cay" first.
//
// On a hybrid machine the v2 tree serves even though it has no controller: freezing, killing and
// the CPU time of a group are there without one, entering it is free with CLONE_INTO_CGROUP, and
// two v1 trees fewer need entering.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/cgroup/cgroup_discover.h"

namespace cay::engine::native {

struct CgroupParent {
  Fd dir;            // ".../cay"
  std::string path;  // the same, for messages
  bool v2 = false;
  ControllerSet serves;
};

struct CgroupParents {
  CgroupLayout layout = CgroupLayout::kNone;
  std::vector<CgroupParent> parents;
  ControllerSet available;                            // what the groups can limit and measure
  std::array<std::string, kControllerCount> why_not;  // empty for those available
  std::vector<CgroupView> signs;  // of v1 controllers without a group: see CgroupView
};

// With kLook nothing is made, moved or enabled: `parents` has only what is there already, and
// `available` what kUse would try to offer.
Result<CgroupParents> FindCgroupParents(const CgroupUse& use);

}  // namespace cay::engine::native
