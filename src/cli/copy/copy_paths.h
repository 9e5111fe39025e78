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

// What stands before the first colon is a sandbox, unless there is a slash in it or it begins with
// a dot. ParseCopy takes "team-a/web:/tmp/x" for OWNER/NAME where the other end is of this machine:
// it would not be a copy otherwise.
Result<CopyEnd> ParseCopyEnd(std::string_view text);

struct Copy {
  CopyEnd source;
  CopyEnd target;
};

// kInvalidArgument unless exactly one of the two is in a sandbox.
Result<Copy> ParseCopy(std::string_view source, std::string_view target);

// "a/b/" -> "b"; "." and "" and ".." have no name of their own.
std::string BaseName(std::string_view path);

// What stands at the end of a path.
enum class Standing { kNothing, kDirectory, kOther };

// Where the file, or the directory, `source` goes when it is copied to `target`: as by docker cp
// and cp -r.
//
//   a file into a directory that is there keeps its name; otherwise it becomes the target, which then must not be named as a
//   directory ("x/", "x/."): kNotFound when there is none of that name.
//   a directory into one that is there becomes TARGET/NAME, or its content TARGET's when that is meant; otherwise it becomes
//   TARGET. kAlreadyExists when that is something else.
Result<std::string> PlaceOfFile(std::string_view source, const std::string& target, Standing there);
Result<std::string> PlaceOfDirectory(std::string_view source, const std::string& target,
                                     Standing there);

// "a/b" of "a/b/c" and "a/b/c/"; "." of "c", "/" of "/c".
std::string ParentOf(std::string_view path);

// Whether the content of a directory is meant, and not the directory: "dir/." (docker cp, cp -r).
bool MeansContents(std::string_view path);

}  // namespace cay::cli
