// What of /proc a sandbox sees: its own processes, the facts about the machine that programs need,
// and some that never change. Every other file and directory at the top of it is covered, whatever
// the kernel has there: files that nobody has looked at yet are closed, not open. Among them are
// those that tell of others (`locks`, `diskstats`, `interrupts`, `cgroups` …), that hold a lock of
// the whole machine while they are read (`locks`, `tty/drivers`, `misc`, `consoles`, `swaps` …) or
// that let the kernel work for the reader (`pressure`). In /proc/sys, which is read-only, single
// files are covered: counts of what all sandboxes use together, and the machine's boot id.
//
//   std::vector<ProcMask> masks = TRY(FindProcMasks(proc));   // proc may still be detached
//   TRY(CoverProc(covers, proc, masks));                      // and here since Linux 6.15 (Covers::Put)
//
// Not covered, because they exist for each process: what /proc/PID/net tells of the whole machine
// (`sockstat`, `softnet_stat`, `protocols`). docs/security-model.md says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/native/rootfs/cover.h"

namespace cay::engine::native {

struct ProcMask {
  std::string name;  // at the top of /proc
  bool directory = false;
};

// Says which controllers there are, which run times look for, and how many groups the machine has
// of each: a text without these covers it (WithoutCounts).
inline constexpr std::string_view kProcCgroups = "cgroups";

// Whether the entry at the top of /proc of this name is not covered. Processes are not.
bool IsLeftInProc(std::string_view name);

// What is to be covered at the top of `proc`, a procfs mount of a process ID namespace without
// processes to speak of.
Result<std::vector<ProcMask>> FindProcMasks(const Fd& proc);

// The kernel has all of it at hand afterwards, so that nobody waits for that when it is covered.
void LookAtMasked(const Fd& proc, const std::vector<ProcMask>& masks);

// Covers them, makes /proc/sys read-only and covers what it has. `masks` were found in `proc`.
Result<void> CoverProc(const Covers& covers, const Fd& proc, const std::vector<ProcMask>& masks);

}  // namespace cay::engine::native
