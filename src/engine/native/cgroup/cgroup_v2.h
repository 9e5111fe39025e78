// The knobs of cgroup v2: what to write where, in which order. All in the group's one directory.
//
// Source: Documentation/admin-guide/cgroup-v2.rst.
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "engine/native/cgroup/cgroup.h"
#include "engine/native/cgroup/cgroup_knobs.h"

namespace cay::engine::native::v2 {

// At most `bytes`, and no swap beside it. `fresh`: the group has no limit yet. kResourceExhausted
// when more than `bytes` are in use and cannot be reclaimed: the kernel would kill, so it is not
// asked to.
Result<void> SetMemory(const CgroupDir& dir, Bytes bytes, bool fresh, KnobChanges& changes);

Result<void> SetCpus(const CgroupDir& dir, MilliCpus cpus, KnobChanges& changes);
Result<void> LiftCpus(const CgroupDir& dir);

Result<std::optional<uint64_t>> ReadOomKills(const CgroupDir& dir);
Result<void> ReadMemory(const CgroupDir& dir, Stats& stats);
// usage_usec is there without any controller; throttled_usec only with cpu.
Result<void> ReadCpu(const CgroupDir& dir, Stats& stats);

// kTimeout when a task would not freeze within 2 s; then all are thawed again.
Result<void> Freeze(const CgroupDir& dir);
Result<void> Thaw(const CgroupDir& dir);

// Waits until cgroup.events says `key` `value` ("populated", 0): at most until `patience` is over,
// then kTimeout.
Result<void> WaitForEvent(const CgroupDir& dir, std::string_view key, uint64_t value,
                          Millis patience);

}  // namespace cay::engine::native::v2
