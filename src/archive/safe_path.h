// Paths inside a tree that is not trusted: every step is taken by descriptor, nothing leaves the
// tree, no symlink is followed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::archive {

// "./a//b/" -> "a/b"; "." -> "". kInvalidArgument for a name that is empty, absolute, has a ".."
// or a NUL, has a component of more than 255 bytes, or is longer than kMaxEntryPathBytes.
Result<std::string> NormalizeEntryPath(std::string_view path);

// The parent and last component of a normalized path: "a/b/c" -> {"a/b", "c"}; "c" -> {"", "c"}.
struct SplitPath {
  std::string_view parent;
  std::string_view name;
};
SplitPath SplitLast(std::string_view normalized);

// The directory at a normalized path below `root` ("" is `root` itself), as an O_RDONLY or O_PATH
// descriptor (`flags`); `resolve` adds to RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS. A path may be
// longer than PATH_MAX: it is walked in pieces. ELOOP when a component is a symlink.
Result<Fd> OpenDirectoryBeneath(const Fd& root, std::string_view normalized, int flags,
                                uint64_t resolve = 0);

// The same, and makes what is missing with `mode`.
Result<Fd> MakeDirectoriesBeneath(const Fd& root, std::string_view normalized, mode_t mode);

// For messages: control characters and bytes beyond ASCII escaped, cut at 200 bytes.
std::string Printable(std::string_view name);

}  // namespace cay::archive
