// The directory of a package cache: made by who controls a relay, and the relay's own.
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::network {

inline constexpr const char* kCacheDirectory = "network-cache";

// Below the state directory; for a relay of root's it belongs to the relay's user.
Result<Fd> MakeCacheDirectory(const std::string& state_dir);
// One that is there. kNotFound: no cache was ever used.
Result<Fd> OpenCacheDirectory(const std::string& state_dir);

}  // namespace cay::network
