// A volume that is being made, aside: STATE/volumes/.making-XXXXXX, locked by who makes it.
#pragma once

#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::volume {

// Names in the directory of volumes that are no volume's.
inline constexpr const char* kMakingPrefix = ".making-";
inline constexpr const char* kRemovingPrefix = ".removing-";
inline constexpr const char* kStoreLock = ".lock";
inline constexpr const char* kAboutName = "about.json";

class VolumeDraft {
 public:
  // With an empty filesystem of that size in it.
  static Result<VolumeDraft> Begin(const std::string& volumes_dir, Bytes size);
  // Removes what is not a volume yet.
  ~VolumeDraft();
  VolumeDraft(VolumeDraft&& other) noexcept;
  VolumeDraft& operator=(VolumeDraft&&) = delete;

  const std::string& path() const { return path_; }
  const Fd& lock() const { return lock_; }

  // Gives it its name: from then on it is a volume. kAlreadyExists when there is one. All of it is
  // on the disk before.
  Result<void> Publish(const std::string& volumes_dir, const std::string& file,
                       const std::string& about) &&;

 private:
  VolumeDraft(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;  // empty: it is a volume, or was moved from
  Fd lock_;
};

}  // namespace cay::volume
