// Confine: what the guest and its spawner thread do to themselves at start.
//
// The guest is the only process in the sandbox that code there must not touch. It is not dumpable
// (no ptrace, no /proc/1/mem, no pidfd_getfd: ptrace(2)), and commands run in a Landlock domain
// that it is not in: they cannot signal or trace it, nor connect to abstract sockets outside
// (landlock(7), scoped flags, ABI 6), nor, by their paths, to sockets of the host (ABI 9). A
// Landlock domain belongs to a thread, so the spawner thread, which starts every command, enters
// one domain for all of them: commands can signal each other.
//
// A change of ids sets "dumpable" to what fs.suid_dumpable says. The engine starts no guest where
// that is 1; code that changes ids in the guest's memory clears it all the same, in case it became
// 1 since.
#pragma once

#include <optional>

#include "base/os/fd.h"
#include "base/privileges.h"
#include "base/result.h"

namespace cay::guest {

// For the whole process, before there are threads: not dumpable, no core file; every signal has its
// default disposition and is blocked; every descriptor from `first_fd` on is closed.
Result<void> ConfineGuest(unsigned first_fd);

// For the calling thread and all that it starts: no new privileges, no capability can come back by
// an exec (the ambient set is empty, the bounding set too, or it is what root has), the Landlock
// domain where the kernel has it, and the commands' filter, whose listener it gives
// (command_filter.h).
Result<std::optional<Fd>> ConfineSpawner(Privileges privileges);

}  // namespace cay::guest
