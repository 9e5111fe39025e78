// Copying what a layer below has into the layer that is being made: what overlayfs calls copying
// up, with the same result.
#pragma once

#include <sys/stat.h>

#include <string>

#include "archive/extraction.h"
#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"

namespace cay::templates {

// A regular file or symlink of a layer below (`info` is of `node`), made as `name` in `parent`,
// where nothing is: content (holes stay holes), mode without setuid and setgid, times, user.*
// attributes, and with kArchive the owner. Its content counts towards the extraction's bound.
Result<void> CopyUp(const Fd& node, const struct stat& info, const Fd& parent,
                    const std::string& name, const archive::UnpackOptions& options,
                    archive::Extraction& extraction);

// Owner and user.* attributes of a directory of a layer below.
Result<void> CopyDirectoryUp(const Fd& node, const struct stat& info, const Fd& to,
                             archive::Ownership ownership);

// The user.* attributes that a directory of the layer got so far.
Result<void> RemoveUserXattrs(const Fd& directory);

}  // namespace cay::templates
