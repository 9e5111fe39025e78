// The directory of a package cache: made by who controls a relay, and the relay's own.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::network {

inline constexpr const char* kCacheDirectory = "network-cache";

// Below the state directory. Where this process is root's it belongs to `relay_uid` then.
Result<Fd> MakeCacheDirectory(const std::string& state_dir, uid_t relay_uid);
// One that is there. kNotFound: no cache was ever used.
Result<Fd> OpenCacheDirectory(const std::string& state_dir);

}  // namespace cay::network
