// What is in a group's directory: processes, and directories to remove.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "engine/native/cgroup/cgroup_knobs.h"

namespace cay::engine::native {

// Of at most 65 536; those outside this process's pid namespace are left out.
Result<std::vector<pid_t>> ReadProcesses(const CgroupDir& dir);

// SIGKILL to every process in the group, by pidfd, and only after looking that the pid is still in
// the group once its pidfd is held: a pid that was reused meanwhile belongs to another process.
// Returns how many it sent.
Result<size_t> SignalKill(const CgroupDir& dir);

// rmdir of the group, and of groups inside it first; EBUSY (a process is still going) is tried
// again until `patience` is over. No error when it is not there.
Result<void> RemoveGroup(const CgroupDir& dir, Millis patience);

// Names of the directories in `dir`.
Result<std::vector<std::string>> ListGroups(int dir);

}  // namespace cay::engine::native
