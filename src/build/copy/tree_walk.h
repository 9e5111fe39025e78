// Going through a FileTree without following any symlink. Inside this room only.
//
//   TreeCursor: places by their paths, one after the other; those near the last one cost little.
//   TreeWalk: everything below a directory, sorted, each directory before what is in it.
//
//   TreeWalk walk(tree, top);
//   while (std::optional<TreeWalk::Step> step = TRY(walk.Next())) {
//     if (…) walk.Skip();         // not into this directory
//   }
//
// No depth exhausts descriptors or the stack: only the innermost directories stay open.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "build/copy/file_tree.h"

namespace cay::build {

class TreeCursor {
 public:
  // The tree outlives it.
  explicit TreeCursor(FileTree& tree, Ignored ignored = Ignored::kHidden)
      : tree_(tree), ignored_(ignored) {}

  // `path` is one of Place: nothing of it but the last component may be a symlink, and what is
  // below one is kNothing.
  Result<Place> Look(std::string_view path);

 private:
  void Keep(const Place& place);

  FileTree& tree_;
  Ignored ignored_;
  std::vector<Place> open_{};  // directories, each below the one before
  size_t descriptors_ = 0;
};

class TreeWalk {
 public:
  struct Step {
    std::string below{};  // the path from the top
    Place place{};
  };

  // `top`: the path of a directory. The tree outlives it.
  TreeWalk(FileTree& tree, std::string top, Ignored ignored = Ignored::kHidden)
      : cursor_(tree, ignored), top_(std::move(top)) {}

  // What vanished meanwhile, or is ignored, is passed over. Nothing at the end.
  Result<std::optional<Step>> Next();
  // The last step's directory is not gone into.
  void Skip() { enter_.reset(); }

 private:
  struct Level {
    std::string below{};
    std::vector<std::string> names{};  // the next at the end
  };

  Result<void> Enter(const std::string& below);

  TreeCursor cursor_;
  std::string top_;
  std::vector<Level> levels_{};
  std::optional<std::string> enter_{std::string()};
  size_t name_bytes_ = 0;  // in all levels
};

std::string JoinPath(std::string_view directory, std::string_view name);

}  // namespace cay::build
