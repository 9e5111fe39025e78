// What the relay's process gives up before it has seen a byte of anybody's: it keeps its sockets,
// its memory, the right to open connections and to read what a resolver reads of /etc, and the
// files of its package cache, if it has one.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::network {

// The user whom the relay of root's sandboxes is: nobody's else, and none of a sandbox's (the last
// range of engine/native/ids/id_range.h is never given away).
inline constexpr uid_t kRelayUid = 0x7FFF'0000;

// For this process, which has one thread. Its open files are raised as far as they may be first.
// Where the kernel has no Landlock, files are protected by the uid alone. A cache is then given up:
// to write files would be to write all of that user's.
Result<void> ConfineRelay(std::optional<Fd>& cache);

}  // namespace cay::network
