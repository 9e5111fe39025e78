// What a process inherits from its parent, and a sandbox is not to have: the launcher sheds it when
// it starts, so that none of its sandboxes has it.
//
// Niceness, I/O class and priority, scheduling policy, processor affinity (back to all that the
// cpuset gives), memory policy, timer slack, personality (`setarch -R`: no address space
// randomisation), switched-off huge pages, the score for the host's out-of-memory killer, the
// umask. Beside it the child (child.cc) leaves the session and its terminal, sets resource limits
// anew (confine.cc), and the guest resets signals and closes descriptors; a new user namespace has
// default securebits.
//
// Without CAP_SYS_NICE and CAP_SYS_RESOURCE the kernel lets a process take back nothing that makes
// it weaker: under `nice -n 10` an ordinary user's sandboxes are nice, too. Not shed, because they
// cannot be: seccomp filters and Landlock domains of the caller, its hard resource limits, its
// audit session, and an ordinary user's supplementary groups.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

// For the calling process, which has one thread. What may not be shed stays; where that gives code
// inside more than it is to have, it is logged.
void ShedCaller();

// `setting` is /proc/sys/fs/suid_dumpable, open for reading, and read at each call. With 1 every
// change of ids makes a process dumpable (prctl(2)), the guest too, whose files in /proc are then
// open to commands of its user id: no sandbox is made then.
Result<void> CheckSuidDumpable(const Fd& setting);

}  // namespace cay::engine::native
