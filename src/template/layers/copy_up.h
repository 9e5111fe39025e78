// Copying a node of one layer into another that is being made: what overlayfs calls copying up,
// with the same result.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>

#include "archive/unpack.h"
#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::templates {

struct CopyRules {
  archive::Ownership ownership = archive::Ownership::kArchive;
  Bytes max_file_bytes = 0;
  int64_t id_offset = 0;  // the number of an owner is this much lower in the copy
  // Of content, before it is written; an error ends the copying with that error. Not empty.
  std::function<Result<void>(Bytes)> add_content{};
};

// What a copy lacks: counts.
struct CopyLoss {
  uint64_t stripped_modes = 0;   // setuid or setgid
  uint64_t dropped_xattrs = 0;   // all but user.*, and what overlayfs itself keeps
  uint64_t replaced_owners = 0;  // over 65535: nobody's (65534) now
};

// A regular file or symlink of a layer (`info` is of `node`, an O_PATH descriptor), made as `name`
// in `parent`, where nothing is: content (holes stay holes), mode without setuid and setgid, times,
// user.* attributes, and with kArchive the owner.
Result<CopyLoss> CopyNode(const Fd& node, const struct stat& info, const Fd& parent,
                          const std::string& name, const CopyRules& rules);

// Owner and user.* attributes of a directory of a layer.
Result<CopyLoss> CopyDirectory(const Fd& node, const struct stat& info, const Fd& to,
                               const CopyRules& rules);

// The user.* attributes that a directory of the layer got so far.
Result<void> RemoveUserXattrs(const Fd& directory);

}  // namespace cay::templates
