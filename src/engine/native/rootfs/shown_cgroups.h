// Shown cgroups: what a sandbox sees of its own cgroup, so that run times size themselves by the
// limits that hold. Read-only, and nothing of other groups.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/rootfs/rootfs.h"

namespace cay::engine::native {

// Adds clones of the groups' directories and files, to be attached below /sys/fs/cgroup. One that
// this kernel or this user cannot clone is left out.
void AddClonedCgroups(const std::vector<CgroupView>& views, std::vector<PlacedMount>& mounts);

// Pure. The text of /proc/cgroups with 1 for how many groups the machine has of each controller.
std::string WithoutCounts(std::string_view proc_cgroups);

// That text of what `proc`, a procfs mount, has there.
Result<std::string> ProcCgroupsWithoutCounts(const Fd& proc);

}  // namespace cay::engine::native
