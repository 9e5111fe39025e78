// What is left of a sandbox when nothing that its launcher holds leads to its guest: its record or the guest's socket was
// lost, or they are not to be believed. Its groups and its uid range lead to it all the same.
#pragma once

#include <optional>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/native/cgroup.h"
#include "engine/native/id_range.h"

namespace cay::engine::native {

struct Remains {
  SandboxId id;
  std::optional<Cgroup> cgroup;
  std::vector<IdRange> id_ranges;

  // Whether there is anything by which its processes can be found.
  bool any() const { return cgroup.has_value() || !id_ranges.empty(); }
};

// Ends every process, and removes the groups: when this returns without an error, nothing of it runs. The ranges stay taken:
// to free them is for who has seen this. kTimeout when something does not die within `patience`.
Result<void> EndRemains(Remains& remains, Millis patience);

}  // namespace cay::engine::native
