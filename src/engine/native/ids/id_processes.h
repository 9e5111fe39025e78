// Which processes of the machine have a uid of a sandbox's range. That leads to a sandbox's
// processes when everything else that does is lost, and proves that there are none any more.
//
//   TRY(EndProcessesOf(range, id, Millis(5000)));     // seen dead
//
// Two Cays with state directories of their own may give the same range to two sandboxes
// (id_range.h): a process whose cgroup names another sandbox is that one's.
//
// Looks through all of /proc: milliseconds, for what happens seldom. Only root sees everybody's.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/native/ids/id_range.h"

namespace cay::engine::native {

struct RangeProcess {
  pid_t pid;
  unsigned range;  // number of the range that its real, effective, saved or file-system uid is in
  std::string sandbox;  // the sandbox whose cgroup it is in; empty: none

  bool BelongsTo(IdRange of, std::string_view id) const {
    return range == of.number() && (sandbox.empty() || sandbox == id);
  }
};

// All that have a uid of any range. Zombies run no more and are not among them. An error when a
// process could not be looked at.
Result<std::vector<RangeProcess>> FindRangeProcesses();

// SIGKILL, by pidfd, until there are none; kTimeout when `patience` is over.
Result<void> EndProcessesOf(IdRange range, const SandboxId& owner, Millis patience);

}  // namespace cay::engine::native
