#include "template/metadata/metadata_cache.h"

#include <fcntl.h>

#include <algorithm>

#include "base/os/file.h"
#include "base/os/sys.h"

namespace cay::templates {
namespace {

bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
         a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

Result<std::shared_ptr<const Metadata>> MetadataCache::Read(const std::string& name,
                                                            const std::string& path) {
  struct stat now{};
  if (::stat(path.c_str(), &now) != 0) return Failure(Error::FromErrno("reading " + path));
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(path);
    if (found != entries_.end() && IsSameFile(found->second.file, now))
      return found->second.metadata;
  }
  // What was looked at before may be an older file than what is read: then it is read again by the
  // next, which sees another one.
  const std::string text = TRY(ReadFile(path, kMaxMetadataBytes));
  auto metadata = std::make_shared<const Metadata>(TRY(ParseMetadata(name, text)));
  const std::lock_guard lock(mutex_);
  entries_[path] = {.file = now, .metadata = metadata, .number = next_++};
  if (entries_.size() > kMost) {
    entries_.erase(std::ranges::min_element(entries_, {},
                                            [](const auto& entry) { return entry.second.number; }));
  }
  return metadata;
}

uint64_t MetadataCache::parsed() const {
  const std::lock_guard lock(mutex_);
  return next_;
}

}  // namespace cay::templates
