// Mount roots: which directories of the host a client may have mounted: those at or below a
// directory that the administrator listed, read-only, or read-write where the root ends in ":rw"
// and the client asks for it.
//
// Paths are resolved in the kernel, beneath the root (openat2(2), RESOLVE_BENEATH): symlinks below
// it never lead out. What is handed to the engine is the path without symlinks that was found, and
// the engine follows none on it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace cay::sandbox {

inline constexpr size_t kMaxClientMounts = 32;

Result<std::vector<engine::Mount>> ResolveMounts(const std::vector<engine::Mount>& mounts,
                                                 const std::vector<std::string>& roots);

}  // namespace cay::sandbox
