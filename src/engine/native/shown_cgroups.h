// Shown cgroups: what a sandbox sees of its own cgroup, so that run times size themselves by the limits that hold. Read-only,
// and nothing of other groups.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "engine/native/cgroup.h"
#include "engine/native/rootfs.h"

namespace cay::engine::native {

// Clones of the groups' directories and files, to be attached below /sys/fs/cgroup. One that this kernel or this user cannot
// clone is left out.
std::vector<PlacedMount> CloneCgroups(const std::vector<CgroupView>& views);

// Pure. The text of /proc/cgroups with 1 for how many groups the machine has of each controller.
std::string WithoutCounts(std::string_view proc_cgroups);

// A file with that text, for /proc/cgroups, made in `home`, a filesystem of the sandbox.
Result<Fd> MakeProcCgroups(const Fd& proc, const Fd& home);
// When it is attached, its name in `home` goes (what has no name cannot be attached).
Result<void> TakeNameFromProcCgroups(const Fd& home);

}  // namespace cay::engine::native
