#include "guest_link/process_verdict.h"

#include <algorithm>

namespace cay {

bool DiskIsFull(const protocol::Info& info, Bytes limit) {
  const Bytes full_below = std::clamp<Bytes>(limit / 100, 64 * kKiB, kMiB);
  return info.disk_free_bytes < full_below || info.inodes_free == 0;
}

}  // namespace cay
