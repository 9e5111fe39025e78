#include "guest_link/process_verdict.h"

#include <algorithm>
#include <cstring>

namespace cay {

bool DiskIsFull(const protocol::Info& info, Bytes limit) {
  const Bytes full_below = std::clamp<Bytes>(limit / 100, 64 * kKiB, kMiB);
  return info.disk_free_bytes < full_below || info.inodes_free == 0;
}

std::string SignalText(uint32_t signal) {
  const char* name = signal < 32 ? ::sigabbrev_np(static_cast<int>(signal)) : nullptr;
  if (name != nullptr) return std::string("SIG") + name;
  constexpr uint32_t kFirstRealTime = 34;  // glibc keeps 32 and 33 for itself
  if (signal >= kFirstRealTime) return "SIGRTMIN+" + std::to_string(signal - kFirstRealTime);
  return std::to_string(signal);
}

}  // namespace cay
