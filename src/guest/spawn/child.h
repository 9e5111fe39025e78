// Child: what runs between vfork and execve of a command. It shares the guest's memory, so it makes
// only system calls and writes only to its job.
#pragma once

#include <sys/types.h>

#include "guest/spawn/spawn_job.h"

namespace cay::guest {

// Starts the command; returns when it executes, or when the job says why not. Blocks the calling
// thread, no other. The command gets: a session of its own (with the terminal, if it has one),
// stdio and no other descriptor, an out-of-memory score above the guest's, the limits, umask 022,
// the account's ids, the capabilities of the job and no others, no blocked signal, the working
// directory.
void Spawn(SpawnJob& job);

// How much sooner than the guest a command is chosen when the sandbox is out of memory.
inline constexpr int kOomScoreOfCommands = 500;

}  // namespace cay::guest
