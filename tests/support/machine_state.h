// MachineState: what sandboxes leave on a machine if they leave anything. Two of them, from before
// and after, must be equal.
//
//   const MachineState before = TakeSettled(paths);
//   ... make and destroy ...
//   EXPECT_EQ(AwaitState(paths, before), before);
#pragma once

#include <iosfwd>
#include <set>
#include <string>

#include "base/paths.h"

namespace cay::testing {

struct MachineState {
  std::set<std::string> cgroups;    // directories under Cay's parent, in every tree
  std::set<std::string> sandboxes;  // entries of the sandboxes directory
  std::set<std::string> id_ranges;
  std::set<std::string> loops;     // loop devices with a backing file below the state directory
  std::set<std::string> mounts;    // mount points of this process
  std::set<std::string> fds;       // of this process, with what they are: network namespaces, too
  std::set<std::string> children;  // of this process

  static MachineState Take(const Paths& paths);
  bool operator==(const MachineState&) const = default;
};

std::ostream& operator<<(std::ostream& out, const MachineState& state);

// The state of a machine without sandboxes: taken once nothing of an earlier one is left, or after
// five seconds.
MachineState TakeSettled(const Paths& paths);

// Takes the state until it equals `wanted` or five seconds have passed: the kernel gives back some
// things a moment after the last process.
MachineState AwaitState(const Paths& paths, const MachineState& wanted);

}  // namespace cay::testing
