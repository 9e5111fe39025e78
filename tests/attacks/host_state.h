// HostState: what sandboxes of one arena occupy on the host, counted, so that a leak is a
// difference.
#pragma once

#include <string>
#include <vector>

#include "arena.h"

namespace cay::attacks {

struct HostState {
  size_t sandbox_directories = 0;  // state_dir/sandboxes
  size_t id_ranges = 0;            // run_dir/ids
  size_t loop_devices = 0;         // backed by a file of the arena
  size_t mounts = 0;               // of this process's mount namespace, under the arena
  size_t cgroups = 0;              // of the arena's sandboxes, in any tree
  size_t processes = 0;            // in those cgroups
  bool operator==(const HostState&) const = default;
};

// `ids`: the sandboxes that there have been; only their cgroups are counted.
HostState TakeHostState(const Arena& arena, const std::vector<std::string>& ids);

// Looks until it is as `wanted`, at most 10 s; the last look.
HostState WaitForHostState(const Arena& arena, const std::vector<std::string>& ids,
                           const HostState& wanted);

size_t CountDescriptors(pid_t pid);
size_t CountMounts(pid_t pid);

void PrintTo(const HostState& state, std::ostream* out);

}  // namespace cay::attacks
