// TreeLister: what is in a directory, piece by piece, in the filesystem's order: all entries of a
// directory, then those of its subdirectories, to a depth.
//
//   TreeLister lister = TRY(TreeLister::Open(view, "/workspace", {.depth = 3}));
//   std::vector<protocol::FileInfo> entries;
//   while (TRY(lister.Next(256, entries))) { ...; entries.clear(); }
//
// Paths are relative to the directory. Symlinks are listed and not followed. A subdirectory that
// may not be read, or is gone by then, is listed without content; /proc is not gone into. Entries
// that vanish while it looks are left out, and so are Cay's own temporaries. More than max_entries,
// or a path over PATH_MAX, is kLimitTooHigh, after everything else was given. Memory: the names of
// the subdirectories still to do, on the way from the top to where it is.
#pragma once

#include <dirent.h>

#include <memory>
#include <string>
#include <vector>

#include "archive/directory_walk.h"
#include "guest/files/file_view.h"

namespace cay::guest {

struct ListOptions {
  uint32_t depth = 1;  // 1: the directory's own entries
  uint64_t max_entries = 1'000'000;
};

class TreeLister {
 public:
  static Result<TreeLister> Open(const FileView& view, const std::string& path,
                                 const ListOptions& options);

  // Adds at most `max` entries, and maybe none. False: that was all.
  Result<bool> Next(size_t max, std::vector<protocol::FileInfo>& entries);

 private:
  struct DirCloser {
    void operator()(DIR* dir) const { ::closedir(dir); }
  };
  using Dir = std::unique_ptr<DIR, DirCloser>;

  TreeLister(const Temporaries& temporaries, Fd top, const ListOptions& options);
  Result<void> BeginDirectory();
  Result<bool> NextDirectory();  // false at the end of the tree
  Result<void> Add(const dirent& entry, std::vector<protocol::FileInfo>& entries);

  const Temporaries* temporaries_;  // outlives it
  archive::DirectoryWalk walk_;
  ListOptions options_;
  Dir listing_;         // of walk_.current(), while it is read
  std::string prefix_;  // of it, with a "/" unless it is the top
  // For each directory from the top to the current one: its subdirectories still to do.
  std::vector<std::vector<std::string>> pending_;
  uint64_t entries_ = 0;
  bool too_long_ = false;
  bool done_ = false;
};

}  // namespace cay::guest
