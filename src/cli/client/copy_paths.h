// The two ends of cay cp, as they are typed. Pure.
//
//   ParseCopyEnd("web:/tmp/x")   -> {sandbox "web", path "/tmp/x"}
//   ParseCopyEnd("./a:b")        -> {path "./a:b"}: a path of this machine, as in docker cp
//   ParseCopyEnd("-")            -> {is_stream}: a tar on standard input or output
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::cli {

struct CopyEnd {
  std::string sandbox{};  // empty: of this machine
  std::string path{};
  bool is_stream = false;
  bool operator==(const CopyEnd&) const = default;
};

// What stands before the first colon is a sandbox, unless there is a slash in it or it begins with a dot.
Result<CopyEnd> ParseCopyEnd(std::string_view text);

struct Copy {
  CopyEnd source;
  CopyEnd target;
};

// kInvalidArgument unless exactly one of the two is in a sandbox.
Result<Copy> ParseCopy(std::string_view source, std::string_view target);

// "a/b/" -> "b"; "." and "" and ".." have no name of their own.
std::string BaseName(std::string_view path);

// Whether the content of a directory is meant, and not the directory: "dir/." (docker cp, cp -r).
bool MeansContents(std::string_view path);

}  // namespace cay::cli
