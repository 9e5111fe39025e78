// MachineState: what sandboxes leave on a machine if they leave anything. Two of them, from before
// and after, must be equal.
//
//   const MachineState before = TakeSettled(paths);
//   ... make and destroy ...
//   EXPECT_TRUE(BecomesLike(before, paths));
//
// Other programs on the machine make and remove sandboxes and mounts meanwhile, and do not show in
// it: it looks at what belongs to `paths` and to this process, and KeepMountsApart keeps theirs
// out.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/os/paths.h"

namespace cay::testing {

struct MachineState {
  // What is looked at ("cgroups", "mounts" …) and what was there of it.
  std::map<std::string, std::set<std::string>> things;

  static MachineState Take(const Paths& paths);
  bool operator==(const MachineState&) const = default;
};

// The state of a machine without sandboxes: taken once nothing of an earlier one is left, or after
// five seconds.
MachineState TakeSettled(const Paths& paths);

// Looks until all is as `wanted`, for at most five seconds: the kernel gives back some things a
// moment after the last process. A failure names each thing that is there and should not be, and
// the other way round.
::testing::AssertionResult BecomesLike(const MachineState& wanted, const Paths& paths);

// A mount namespace of this process's own, in which no mount of another program appears or goes. To
// be called before there are threads, by root; does nothing for an ordinary user.
void KeepMountsApart();

}  // namespace cay::testing
