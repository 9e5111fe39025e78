// Leftovers: which processes descend from a command, even when it has ended and they have become
// children of PID 1, in sessions of their own.
//
// The mark is inherited and survives fork, exec and setsid: each command starts with RLIMIT_LOCKS,
// which the kernel has ignored since 2.4.25 (getrlimit(2)), set to MarkOf(its id), and anyone may
// read it in /proc/PID/limits. Code can lower its own mark but not raise it; a mark below all
// that are ever given is such a case and counts as a leftover of every command.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest/spawn/spawn_job.h"

namespace cay::guest {

inline constexpr uint64_t kMarkBase = 1'000'000;
inline constexpr uint64_t MarkOf(uint64_t process) { return kMarkBase + process; }

// Live processes (not zombies) with the mark of `process`, by /proc.
Result<std::vector<pid_t>> FindMarked(const Fd& proc, uint64_t process);

// Whether anything runs beside the commands that the guest started and knows (`leaders`) and their
// children: whether a scan could find anything of a command that has ended. True when in doubt.
bool MayHaveOrphans(const Fd& proc, pid_t spawner_thread, std::span<const pid_t> leaders);

// The mark in the text of a /proc/PID/limits; UINT64_MAX when there is none.
uint64_t ParseMark(std::string_view limits);

// The limits of a process that are a command's own, mark included: for one that is to have the
// same. Nothing where its file cannot be read whole.
std::optional<std::vector<ChildRlimit>> LimitsOf(const Fd& proc, pid_t pid);
// The same of the file's text.
std::optional<std::vector<ChildRlimit>> ParseLimits(std::string_view limits);

}  // namespace cay::guest
