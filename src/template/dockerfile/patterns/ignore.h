// IgnorePatterns: a .dockerignore, or the --exclude of COPY and ADD, as moby's patternmatcher and
// ignorefile read them (docs.docker.com, "Build context", ".dockerignore files"). Pure.
//
//   const IgnorePatterns ignore = TRY(IgnorePatterns::ParseFile(text));
//   if (ignore.Ignores("node_modules/a/b.js")) …
//
// A line is a pattern of Glob's kTree; "#" at its beginning makes it a comment, "!" takes back what
// patterns before it ignore; spaces and slashes at its ends do not count. The last pattern that
// matches a path, or a directory that the path is in, decides; but a "!" that matches only a
// directory, which was not ignored, takes back nothing that is in it (BuildKit walks the tree so).
//
// Paths are relative to the root, with single slashes: "a/b". The root itself is never ignored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "template/dockerfile/patterns/glob.h"

namespace cay::templates::dockerfile {

inline constexpr Bytes kMaxIgnoreFile = 64 * kKiB;
inline constexpr size_t kMaxIgnorePatterns = 4096;

class IgnorePatterns {
 public:
  IgnorePatterns() = default;  // ignores nothing

  // Of the file's text. kInvalidArgument names line and pattern; kLimitTooHigh.
  static Result<IgnorePatterns> ParseFile(std::string_view text);
  // Of --exclude: each one pattern; none is a comment.
  static Result<IgnorePatterns> Of(const std::vector<std::string>& patterns);

  bool Ignores(std::string_view path) const;

  // Whether all below an ignored directory is ignored as well, so that it need not be looked at: no
  // "!" could take back anything that is in it. False where the directory is not ignored.
  bool SkipsWhole(std::string_view directory) const;

  bool empty() const { return patterns_.empty(); }

 private:
  struct Pattern {
    bool takes_back = false;
    Glob glob;
  };

  Result<void> Add(std::string_view pattern);

  std::vector<Pattern> patterns_{};
};

}  // namespace cay::templates::dockerfile
