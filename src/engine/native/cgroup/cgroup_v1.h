// The knobs of cgroup v1: what to write where, in which order. Each function is told the group's
// directory in the tree of that controller.
//
// Sources: Documentation/admin-guide/cgroup-v1/{memory,pids,freezer-subsystem,cpuacct}.rst and
// Documentation/scheduler/sched-bwc.rst.
#pragma once

#include <algorithm>

#include "base/result.h"
#include "base/units.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/cgroup/cgroup_knobs.h"

namespace cay::engine::native::v1 {

// Memory and swap together at most `bytes`. Where swap is not accounted, the group is told not to
// swap. `fresh`: the group has no limit yet. kResourceExhausted when more than `bytes` are in use
// and cannot be reclaimed. Beside it, SocketBytes(bytes) for the queues of TCP and UDP: v2 counts
// those with the rest.
Result<void> SetMemory(const CgroupDir& dir, Bytes bytes, bool fresh, KnobChanges& changes);

constexpr Bytes SocketBytes(Bytes memory) { return std::max(memory / 8, 4 * kMiB); }

// Makes the kernel count sockets in this group. The first limit of the machine patches the kernel's
// code (190 µs); from then on a limit in a group below costs 10 µs. Where this does not work, no
// group below can have one.
void CountSockets(const CgroupDir& parent);

Result<void> SetCpus(const CgroupDir& dir, MilliCpus cpus, KnobChanges& changes);
Result<void> LiftCpus(const CgroupDir& dir);

// Each fills in what its own tree knows.
Result<std::optional<uint64_t>> ReadOomKills(const CgroupDir& dir);
Result<void> ReadMemory(const CgroupDir& dir, Stats& stats);
Result<void> ReadCpuacct(const CgroupDir& dir, Stats& stats);
Result<void> ReadCpu(const CgroupDir& dir, Stats& stats);

// kTimeout when a task would not freeze within 2 s; then all are thawed again.
Result<void> Freeze(const CgroupDir& dir);
Result<void> Thaw(const CgroupDir& dir);

}  // namespace cay::engine::native::v1
