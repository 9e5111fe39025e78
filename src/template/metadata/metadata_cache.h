// MetadataCache: metadata of templates as they were read last, so that a create does not parse an
// image's configuration again.
//
//   const auto metadata = TRY(cache.Read("python:3.12-slim", path));
//
// A file of metadata is replaced by rename(2) and never written over: another inode, size, or time
// of change (in nanoseconds) is another file, and read anew. Thread-safe.
#pragma once

#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "template/metadata/metadata.h"

namespace cay::templates {

class MetadataCache {
 public:
  static constexpr size_t kMost = 64;  // of them are kept; the one that was read first goes

  // `path`: where that of the template `name` is kept. The errors of reading it (sys_errno: ENOENT
  // where there is none) and of ParseMetadata.
  Result<std::shared_ptr<const Metadata>> Read(const std::string& name, const std::string& path);

  uint64_t parsed() const;  // files that were read, for tests

 private:
  struct Entry {
    struct stat file{};
    std::shared_ptr<const Metadata> metadata;
    uint64_t number = 0;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // by path
  uint64_t next_ = 0;
};

}  // namespace cay::templates
