// Owner: whom files of a build belong to, and the names that Dockerfiles give owners: COPY
// --chown=www-data:www-data, USER.
//
//   FileTree below = TRY(FileTree::OfLayers(layers, OverlayXattrsOfCaller()));
//   const Owner owner = TRY(ResolveOwner(below, "app"));     // of /etc/passwd in these layers
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "build/copy/file_tree.h"

namespace cay::build {

inline constexpr Bytes kMaxPasswdBytes = 4 * kMiB;  // of /etc/passwd, of /etc/group

struct Owner {
  uint32_t uid = 0;
  uint32_t gid = 0;
  friend bool operator==(const Owner&, const Owner&) = default;
};

// "user", "user:group", ":group"; each a name or a number, as BuildKit resolves them
// (solver/llbsolver/file/user_linux.go):
//  - A name without a group: with the primary group that /etc/passwd has.
//  - A number without a group: the group of the same number, whoever that is.
//  - A number is never looked up. "" is root's.
// A name that is not there is kNotFound, and the error says so (BuildKit takes 0 for it).
// kInvalidArgument for what is neither, and for an owner over 65535, which no layer keeps.
// The files are read inside of the tree; one that is larger than kMaxPasswdBytes is kLimitTooHigh.
Result<Owner> ResolveOwner(FileTree& tree, std::string_view text);

// Whether an absolute path leads to a directory of the tree. Symlinks are followed, inside.
Result<bool> DirectoryExists(FileTree& tree, std::string_view path);

}  // namespace cay::build
