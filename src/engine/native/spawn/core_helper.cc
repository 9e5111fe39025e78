#include "engine/native/spawn/core_helper.h"

#include <algorithm>

#include "base/os/file.h"

namespace cay::engine::native {
namespace {

constexpr const char* kCorePattern = "/proc/sys/kernel/core_pattern";
constexpr size_t kMaxCorePattern = 256;  // CORENAME_MAX_SIZE is 128

// Not known: taken for a helper.
std::string CorePattern() {
  auto pattern = ReadFile(kCorePattern, kMaxCorePattern);
  return pattern ? *std::move(pattern) : "|";
}

rlim_t HardLimit() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_CORE, &limit) < 0 ? 0 : limit.rlim_max;
}

bool Raise() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) < 0) return false;
  limit.rlim_max = std::max<rlim_t>(limit.rlim_max, 1);
  return ::setrlimit(RLIMIT_CORE, &limit) == 0;
}

// Tries, and takes it back: to lower a limit everybody may.
bool MayRaise() {
  rlimit before{};
  if (::getrlimit(RLIMIT_CORE, &before) < 0 || !Raise()) return false;
  ::setrlimit(RLIMIT_CORE, &before);
  return true;
}

}  // namespace

void AllowCoreLimit() {
  if (HardLimit() == 0) Raise();
}

std::string WhyCoreHelperRuns(rlim_t hard_limit, std::string_view core_pattern) {
  if (core_pattern.starts_with('@'))
    return "a crash would be sent to the machine's core dump socket (kernel.core_pattern)";
  if (hard_limit > 0 || !core_pattern.starts_with('|')) return {};
  return "the hard limit of core files (RLIMIT_CORE) is 0, so that a crash would start the "
         "machine's core dump helper (kernel.core_pattern)";
}

std::string WhyCoreHelperRuns(bool can_raise) {
  rlim_t hard_limit = HardLimit();
  if (hard_limit == 0 && can_raise && MayRaise()) hard_limit = 1;
  return WhyCoreHelperRuns(hard_limit, CorePattern());
}

}  // namespace cay::engine::native
