// Paths inside a sandbox as clients name them. Pure: nothing is looked up; what a path leads to
// (and that symlinks and ".." do not lead out) is decided inside, by the guest.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay {

// `path`, which is `workdir`'s when it is relative. kInvalidArgument for one that is empty, has a
// NUL, or is over 4095 bytes (PATH_MAX).
Result<std::string> AbsolutePath(std::string_view workdir, std::string_view path);

// The same, where an empty path stands for the working directory itself.
Result<std::string> DirectoryPath(std::string_view workdir, std::string_view path);

// For clients of a session manager whose sessions saw only their own directory: "/test.txt" is
// test.txt in the working directory, and "/" is that directory. A full path below it, below
// /workspace or below /tmp stays as it is.
std::string BelowWorkdir(std::string_view workdir, std::string_view path);

// The last component: "c" of "/a/b/c" and of "/a/b/c/"; "/" of "/".
std::string_view LastComponent(std::string_view path);

}  // namespace cay
