#include "engine/native/cgroup/cgroup_v1.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

namespace cay::engine::native::v1 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kMemory = "memory.limit_in_bytes";
constexpr const char* kMemoryAndSwap = "memory.memsw.limit_in_bytes";
constexpr const char* kSockets = "memory.kmem.tcp.limit_in_bytes";
constexpr uint64_t kPeriodUs = 100'000;  // what cpu.cfs_period_us is in a new group
constexpr Millis kFreezeDeadline(2000);

Result<void> WriteMemory(const CgroupDir& dir, const char* knob, Bytes bytes,
                         KnobChanges& changes) {
  Result<void> written = changes.Write(dir, knob, std::to_string(bytes));
  if (written || written.error().sys_errno() != EBUSY) return written;
  return Failure(
      Error(ErrorCode::kResourceExhausted, Fault::kCaller,
            "more than " + FormatBytes(bytes) + " of memory are in use and cannot be reclaimed")
          .WithRemedy("end processes or remove in-memory files first"));
}

// What TCP and UDP have queued is counted apart in v1, and only in groups that have ever had a
// limit of it.
Result<void> SetSockets(const CgroupDir& dir, Bytes memory, KnobChanges& changes) {
  if (!dir.Has(kSockets)) return {};  // `cay doctor` says so
  const Bytes bytes = SocketBytes(memory);
  Result<void> written = changes.Write(dir, kSockets, std::to_string(bytes));
  if (written || written.error().sys_errno() != EBUSY) return written;
  return Failure(Error(ErrorCode::kResourceExhausted, Fault::kCaller,
                       "more than " + FormatBytes(bytes) +
                           " are queued in sockets, which is what " + FormatBytes(memory) +
                           " of memory allow")
                     .WithRemedy("end processes that do not read from their connections first"));
}

Result<void> SetMemoryAlone(const CgroupDir& dir, Bytes bytes, bool fresh, KnobChanges& changes) {
  if (!dir.Has(kMemoryAndSwap)) {
    TRY(WriteMemory(dir, kMemory, bytes, changes));
    return changes.Write(dir, "memory.swappiness", "0");
  }
  // The kernel keeps memory <= memory+swap at every moment: so the outer one first when raising.
  const bool raising = !fresh && bytes > TRY(dir.ReadNumber(kMemory)).value_or(0);
  TRY(WriteMemory(dir, raising ? kMemoryAndSwap : kMemory, bytes, changes));
  return WriteMemory(dir, raising ? kMemory : kMemoryAndSwap, bytes, changes);
}

}  // namespace

Result<void> SetMemory(const CgroupDir& dir, Bytes bytes, bool fresh, KnobChanges& changes) {
  TRY(SetMemoryAlone(dir, bytes, fresh, changes));
  return SetSockets(dir, bytes, changes);
}

void CountSockets(const CgroupDir& parent) {
  if (parent.Has(kSockets)) (void)parent.Write(kSockets, "-1");
}

Result<void> SetCpus(const CgroupDir& dir, MilliCpus cpus, KnobChanges& changes) {
  return changes.Write(dir, "cpu.cfs_quota_us", std::to_string(cpus * kPeriodUs / 1000));
}

Result<void> LiftCpus(const CgroupDir& dir) { return dir.Write("cpu.cfs_quota_us", "-1"); }

Result<std::optional<uint64_t>> ReadOomKills(const CgroupDir& dir) {
  return dir.ReadField("memory.oom_control", "oom_kill");
}

Result<void> ReadMemory(const CgroupDir& dir, Stats& stats) {
  stats.memory = TRY(dir.ReadNumber("memory.usage_in_bytes"));
  stats.memory_peak = TRY(dir.ReadNumber("memory.max_usage_in_bytes"));
  stats.oom_kills = TRY(ReadOomKills(dir));
  stats.memory_cache = TRY(dir.ReadField("memory.stat", "total_inactive_file"));
  return {};
}

Result<void> ReadCpuacct(const CgroupDir& dir, Stats& stats) {
  const auto usage_ns = TRY(dir.ReadNumber("cpuacct.usage"));
  if (usage_ns) stats.cpu_us = *usage_ns / 1000;
  return {};
}

Result<void> ReadCpu(const CgroupDir& dir, Stats& stats) {
  const auto throttled_ns = TRY(dir.ReadField("cpu.stat", "throttled_time"));
  if (throttled_ns) stats.throttled_us = *throttled_ns / 1000;
  return {};
}

Result<void> Freeze(const CgroupDir& dir) {
  TRY(dir.Write("freezer.state", "FROZEN"));
  const auto deadline = Clock::now() + kFreezeDeadline;
  // FREEZING until every task has stopped; there is nothing to poll(2). Reading it is what makes
  // the kernel look again.
  for (auto pause = std::chrono::microseconds(50);;
       pause = std::min(pause * 2, std::chrono::microseconds(5000))) {
    Result<std::string> state = dir.Read("freezer.state");
    if (state && *state == "FROZEN") return {};
    if (!state || Clock::now() > deadline) {
      const Result<void> thawed = Thaw(dir);
      if (!state) return Failure(std::move(state).error());
      if (!thawed) return thawed;
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                           "a process could not be frozen within 2 s; all run again"));
    }
    std::this_thread::sleep_for(pause);
  }
}

Result<void> Thaw(const CgroupDir& dir) { return dir.Write("freezer.state", "THAWED"); }

}  // namespace cay::engine::native::v1
