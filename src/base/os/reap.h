// Ends of child processes that are waited for no longer than a given time. A process that hangs in
// the kernel (a disk that does not answer: state D) does not die of SIGKILL, and waitpid(2) would
// wait with it.
#pragma once

#include <sys/types.h>

#include <chrono>

#include "base/result.h"

namespace cay {

// Longer than any process takes to die that is not stuck in the kernel.
inline constexpr std::chrono::milliseconds kKillPatience{5'000};

// Waits for a child of ours to end, and reaps it: its waitpid(2) status. kTimeout when it did not,
// and still runs then.
Result<int> AwaitChild(pid_t child, std::chrono::milliseconds patience);

// Kills a child of ours and reaps it; returns whether it is dead. A child that is not dead within
// `patience` is reaped by a later call.
bool KillAndReap(pid_t child, std::chrono::milliseconds patience = kKillPatience);

// Leaves a child to end by itself, in its own time: ReapStrays reaps it then.
void ReapLater(pid_t child);

// The number of children that were left for later and have not ended yet; reaps those that have. A
// process that has such children calls it now and then.
size_t ReapStrays();

}  // namespace cay
