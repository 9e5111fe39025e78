// DirectoryEnds: the modes and times that directories of a tree get at the end. Until then they
// must be writable, and each member that comes into one changes its time.
//
//   DirectoryEnds ends;
//   TRY(ends.Set("usr/bin", {.mode = 0755, .mtime = time}));     // the last word counts
//   TRY(ends.Apply(root));
//
// Paths are normalized (safe_path.h), "" is the root. What is remembered is bounded.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "archive/tar_entry.h"
#include "base/os/fd.h"
#include "base/result.h"

namespace cay::archive {

struct DirectoryEnd {
  mode_t mode = 0755;
  std::optional<Timestamp> mtime;  // nothing: the time is left as it is
};

class DirectoryEnds {
 public:
  // kLimitTooHigh when there are too many.
  Result<void> Set(std::string_view path, DirectoryEnd end);

  // The directory and all below it are gone.
  void Forget(std::string_view path);

  // A directory that is no longer there, or behind a symlink, has nothing of ours to set.
  Result<void> Apply(const Fd& root) const;

 private:
  std::map<std::string, DirectoryEnd, std::less<>> ends_;
  size_t bytes_ = 0;
};

// "a/b" is below "a"; nothing is below "", which is where a walk begins anyway.
bool IsBelow(std::string_view path, std::string_view directory);
// The rest of a path that is below `directory`.
std::string_view Below(std::string_view path, std::string_view directory);

}  // namespace cay::archive
