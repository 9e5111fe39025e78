// What is left of a sandbox when nothing that its launcher holds leads to its guest: its record or
// the guest's socket was lost, or they are not to be believed. Its groups and its uid range lead to
// it all the same.
#pragma once

#include <optional>
#include <vector>

#include "base/id.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/ids/id_range.h"

namespace cay::engine::native {

struct Remains {
  SandboxId id;
  std::optional<Cgroup> cgroup;
  std::vector<IdRange> id_ranges;

  // Whether there is anything by which its processes can be found.
  bool any() const { return cgroup.has_value() || !id_ranges.empty(); }
};

// Ends every process, and removes the groups: when this returns without an error, nothing of it
// runs. The ranges stay taken: the caller frees them after that. kTimeout when something does not
// die within `patience`.
Result<void> EndRemains(Remains& remains, Millis patience);

// Ends the process that listens at the guest's sockets in a sandbox's directory, and with it all
// its processes. False when there is no socket, so that nothing is known; kTimeout when it does not
// die within `patience`.
Result<bool> EndListeners(const Fd& sandbox_dir, Millis patience);

// Does all of that for a sandbox that no launcher has, and frees its uid ranges. `sandbox_dir` is
// null where that is lost too, `ids` for an ordinary user. False when nothing led to it: where it
// had processes, they may run on.
Result<bool> EndUnowned(const SandboxId& id, const Fd* sandbox_dir, CgroupTree& cgroups,
                        IdRangeAllocator* ids, Millis patience);

// The kUnavailable for a sandbox that was promised to somebody, and that nothing leads to.
Error NothingLeadsToIt();

}  // namespace cay::engine::native
