// What the whole machine has left: the only count that misses nothing of a sandbox.
#pragma once

#include "base/result.h"

namespace cay::bench {

// MemAvailable of /proc/meminfo, in KiB: unlike MemFree it does not count page cache as used.
Result<double> AvailableKib();

}  // namespace cay::bench
