// What trees take on the disk: the blocks of their files and directories, of a file with several
// names once. Mounts below are left out.
//
//   const Bytes bytes = TRY(DiskUse().Of(path));
//
// Reading every directory of a large tree takes long: what a layer takes is measured once, and kept
// beside it (.layers/ID/disk, "disk_bytes N\n"). One of a program that did not keep it is measured
// when it is first asked for. Blocking.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::templates {

// Adds up. What vanishes meanwhile has been removed.
class DiskUse {
 public:
  // 0 for what is not there. A file is itself.
  Result<Bytes> Of(const std::string& path);

 private:
  Result<std::vector<std::string>> AddDirectory(const Fd& directory);
  void Add(const struct stat& info);

  Bytes bytes_ = 0;
  std::set<std::pair<dev_t, ino_t>> linked_;
};

// Of a layer's directory, if it is known.
std::optional<Bytes> RecordedDisk(const std::string& layer_directory);
// Measures it, and keeps it if there is room for that.
Result<Bytes> RecordDisk(const std::string& layer_directory);

}  // namespace cay::templates
