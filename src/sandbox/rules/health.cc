#include "sandbox/rules/health.h"

#include <algorithm>
#include <cmath>

#include "guest_link/process_verdict.h"

namespace cay::sandbox {
namespace {

// One decimal: more would be noise.
double Rounded(double percent) { return std::round(percent * 10) / 10; }

std::optional<double> ShareOf(const std::optional<uint64_t>& used, uint64_t limit) {
  if (!used || limit == 0) return std::nullopt;
  return Rounded(100.0 * static_cast<double>(*used) / static_cast<double>(limit));
}

// What the kernel would drop by itself is no use of it: a sandbox that has read much is not ill.
std::optional<uint64_t> UsedMemory(const engine::Stats& stats) {
  if (!stats.memory) return std::nullopt;
  return *stats.memory - std::min(*stats.memory, stats.memory_cache.value_or(0));
}

// Of the processors that it may use, while the two looks were apart.
std::optional<double> CpuShare(const HealthLook& look, MilliCpus cpus) {
  if (!look.before.cpu_us || !look.after.cpu_us || look.apart.count() <= 0 || cpus == 0) {
    return std::nullopt;
  }
  const uint64_t used = *look.after.cpu_us - std::min(*look.before.cpu_us, *look.after.cpu_us);
  const double allowed_us = static_cast<double>(look.apart.count()) * cpus;
  return Rounded(100.0 * static_cast<double>(used) / allowed_us);
}

std::string Percent(double percent) { return std::to_string(std::lround(percent)) + "%"; }

}  // namespace

std::string Health::Line() const {
  if (!healthy()) return "UNHEALTHY: " + reason;
  const auto shown = [](const std::optional<double>& percent) {
    return percent ? Percent(*percent) : std::string("unknown");
  };
  return "HEALTHY: Memory=" + shown(memory_percent) + " CPU=" + shown(cpu_percent);
}

Health HealthOf(const HealthLook& look, const engine::Limits& limits,
                const HealthThresholds& thresholds) {
  Health health;
  health.memory_percent = ShareOf(UsedMemory(look.after), limits.memory);
  health.cpu_percent = CpuShare(look, limits.cpus);
  health.disk_percent = ShareOf(look.after.disk, limits.disk);
  const auto check = [&](const char* what, const std::optional<double>& percent, double threshold) {
    if (!percent || threshold == 0 || *percent < threshold) return;
    health.reason += std::string(health.reason.empty() ? "" : "; ") + what +
                     " usage exceeds threshold: " + Percent(*percent);
  };
  check("Memory", health.memory_percent, thresholds.memory);
  check("CPU", health.cpu_percent, thresholds.cpu);
  if (look.guest && thresholds.disk > 0 && DiskIsFull(*look.guest, limits.disk)) {
    const bool of_files = look.guest->inodes_free == 0;
    health.reason += std::string(health.reason.empty() ? "" : "; ") +
                     (of_files ? "Disk is full: no more files can be made" : "Disk is full");
  } else {
    check("Disk", health.disk_percent, thresholds.disk);
  }
  return health;
}

}  // namespace cay::sandbox
