// What of a file on disk goes into an archive, beside what stat(2) tells.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "archive/tar_entry.h"
#include "base/os/fd.h"
#include "base/result.h"

namespace cay::archive {

// Only user.*: the rest means nothing elsewhere, or too much. Those that cannot be read, and what is
// over 256 KiB for one file, are left out.
void ReadUserXattrs(const Fd& fd, TarEntry& entry);

// The runs of data up to `size`; nothing when there are more than kMaxSegments.
Result<std::optional<std::vector<Segment>>> FindSegments(const Fd& file, uint64_t size);

}  // namespace cay::archive
