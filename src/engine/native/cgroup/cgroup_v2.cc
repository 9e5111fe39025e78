#include "engine/native/cgroup/cgroup_v2.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/os/sys.h"

namespace cay::engine::native::v2 {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kPeriodUs = 100'000;
constexpr Millis kFreezeDeadline(2000);

// Lowering memory.max under what is in use makes the kernel kill. Lowering memory.high reclaims and
// slows down, and never kills: so it goes first, and memory.max follows only when the usage did.
Result<void> ReclaimTo(const CgroupDir& dir, Bytes bytes, KnobChanges& changes) {
  TRY(changes.Write(dir, "memory.high", std::to_string(bytes)));
  Result<std::optional<uint64_t>> current = dir.ReadNumber("memory.current");
  if (current && current->value_or(0) <= bytes) return {};
  changes.TakeBack();
  if (!current) return Failure(std::move(current).error());
  return Failure(
      Error(ErrorCode::kResourceExhausted, Fault::kCaller,
            "more than " + FormatBytes(bytes) + " of memory are in use and cannot be reclaimed")
          .WithRemedy("end processes or remove in-memory files first"));
}

}  // namespace

Result<void> SetMemory(const CgroupDir& dir, Bytes bytes, bool fresh, KnobChanges& changes) {
  if (fresh) {
    // Not there when the kernel accounts no swap.
    if (dir.Has("memory.swap.max")) TRY(changes.Write(dir, "memory.swap.max", "0"));
    return changes.Write(dir, "memory.max", std::to_string(bytes));
  }
  const std::string before = TRY(dir.Read("memory.max"));
  const auto before_bytes = before == "max" ? Result<uint64_t>(UINT64_MAX) : ParseUnsigned(before);
  const bool lowering = bytes < TRY(before_bytes);
  if (lowering) TRY(ReclaimTo(dir, bytes, changes));
  if (dir.Has("memory.swap.max")) TRY(changes.Write(dir, "memory.swap.max", "0"));
  TRY(changes.Write(dir, "memory.max", std::to_string(bytes)));
  if (lowering) TRY(changes.Write(dir, "memory.high", "max"));
  return {};
}

Result<void> SetCpus(const CgroupDir& dir, MilliCpus cpus, KnobChanges& changes) {
  return changes.Write(dir, "cpu.max",
                       std::to_string(cpus * kPeriodUs / 1000) + " " + std::to_string(kPeriodUs));
}

Result<void> LiftCpus(const CgroupDir& dir) { return dir.Write("cpu.max", "max"); }

Result<std::optional<uint64_t>> ReadOomKills(const CgroupDir& dir) {
  return dir.ReadField("memory.events", "oom_kill");
}

Result<void> ReadMemory(const CgroupDir& dir, Stats& stats) {
  stats.memory = TRY(dir.ReadNumber("memory.current"));
  stats.memory_peak = TRY(dir.ReadNumber("memory.peak"));  // 5.19
  stats.oom_kills = TRY(ReadOomKills(dir));
  stats.memory_cache = TRY(dir.ReadField("memory.stat", "inactive_file"));
  return {};
}

Result<void> ReadCpu(const CgroupDir& dir, Stats& stats) {
  const std::string text = TRY(dir.Read("cpu.stat"));
  if (!stats.cpu_us) stats.cpu_us = FindField(text, "usage_usec");
  if (!stats.throttled_us) stats.throttled_us = FindField(text, "throttled_usec");
  return {};
}

Result<void> Freeze(const CgroupDir& dir) {
  TRY(dir.Write("cgroup.freeze", "1"));
  Result<void> frozen = WaitForEvent(dir, "frozen", 1, kFreezeDeadline);
  if (frozen) return {};
  TRY(Thaw(dir));
  if (frozen.error().code() != ErrorCode::kTimeout) return frozen;
  return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                       "a process could not be frozen within 2 s; all run again"));
}

Result<void> Thaw(const CgroupDir& dir) { return dir.Write("cgroup.freeze", "0"); }

Result<void> WaitForEvent(const CgroupDir& dir, std::string_view key, uint64_t value,
                          Millis patience) {
  const auto deadline = Clock::now() + patience;
  const std::string path = dir.name() + "/cgroup.events";
  const Fd events = TRY(sys::OpenAt(dir.parent(), path.c_str(), O_RDONLY));
  while (true) {
    std::array<char, 256> text{};
    const ssize_t size = ::pread(events.get(), text.data(), text.size(), 0);
    if (size < 0) return Failure(Error::FromErrno("reading cgroup.events"));
    if (FindField({text.data(), static_cast<size_t>(size)}, key) == value) return {};
    const auto left = std::chrono::ceil<Millis>(deadline - Clock::now());
    if (left.count() <= 0) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                           "the group did not become " + std::string(key) + " " +
                               std::to_string(value) + " in time"));
    }
    // The file tells of each change with POLLPRI, counted from the last read.
    pollfd wait{.fd = events.get(), .events = POLLPRI, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(left.count())) < 0 && errno != EINTR) {
      return Failure(Error::FromErrno("waiting for cgroup.events"));
    }
  }
}

}  // namespace cay::engine::native::v2
