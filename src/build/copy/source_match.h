// Which files a source of COPY means. Inside this room only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "build/copy/file_tree.h"

namespace cay::build {

struct SourceMatch {
  std::string name{};  // as it was written or found, its last component; "": the root
  Place place{};       // where it leads, its last symlink followed
  bool by_pattern = false;
};

struct SourceMatches {
  std::vector<std::string> paths{};  // in the tree
  bool by_pattern = false;
  bool only_ignored = false;  // there are none, but for .dockerignore
};

// Of a path, that path. Of a pattern what it matches, sorted, perhaps nothing; not what is below a
// directory that matches. kNotFound where the directories before the pattern are not there.
Result<SourceMatches> MatchSource(FileTree& tree, const std::string& pattern);

// kNotFound when there is nothing, which names `path` and says so when it is ignored.
Result<SourceMatch> FollowSource(FileTree& tree, const std::string& path, bool by_pattern);

// The error for a source that is not there. `path`: in the tree.
Result<Error> NotThere(FileTree& tree, std::string_view path);

// "a", "/a/", "./a" are "a"; ".." does not lead above the root; "" is the root. Patterns stay.
std::string SourcePath(std::string_view written);

}  // namespace cay::build
