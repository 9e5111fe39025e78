// For tests: how much memory this process uses.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "base/units.h"

namespace cay {

// The second field of /proc/self/statm, in pages (proc(5)).
inline Bytes ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t all = 0;
  uint64_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<Bytes>(::sysconf(_SC_PAGESIZE));
}

}  // namespace cay
