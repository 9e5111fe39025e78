// Usual places: the directories of the usual template that ids other than 0 may write to, made in
// the writable layer ahead.
//
// A directory that is in a template and in the writable layer is listed by overlayfs itself: each
// open descriptor that saw another version of it holds a list of all names, up to a kilobyte for
// each, which no memory limit counts (fs/overlayfs/readdir.c, ovl_cache_get). 300 descriptors held
// 3 GB under a limit of 128 MiB. One that is only in the writable layer, or hides the template's
// (opaque), is listed by the filesystem below, and nothing is held.
#pragma once

#include <sys/types.h>

#include <array>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::engine::native {

struct UsualPlace {
  const char* path;  // in the root filesystem
  mode_t mode;
  uid_t owner;  // and group, inside
  bool opaque;  // the directory that it is in is in the template, too
};

// A directory comes before what is in it. In the template all opaque ones are empty.
inline constexpr std::array<UsualPlace, 11> kUsualPlaces = {{
    {"home", 0755, 0, false},
    {"home/user", 0755, 1000, true},
    {"run", 0755, 0, false},
    {"run/lock", 01777, 0, true},
    {"tmp", 01777, 0, true},
    {"var", 0755, 0, false},
    {"var/tmp", 01777, 0, true},
    {"workspace", 01777, 1000, true},
    {"workspace/agent_workspace", 0755, 1000, false},
    {"workspace/outputs", 0755, 1000, false},
    {"workspace/project_files", 0755, 0, false},
}};

// How overlayfs is told that a directory hides what is below it: as root, and where it is mounted
// in a user namespace.
inline constexpr const char* kOpaqueOfRoot = "trusted.overlay.opaque";
inline constexpr const char* kOpaqueOfUser = "user.overlay.opaque";

// In `upper`, owned by `first` and the ids after it. False, and nothing is made, where the
// filesystem does not take the attribute: then the template's are as they were.
Result<bool> MakeUsualPlaces(const Fd& upper, uid_t first, const char* opaque);
// The same with one owner for all.
Result<bool> MakeUsualPlacesOfOne(const Fd& upper, uid_t owner, const char* opaque);

// The directory of that name in `upper`, with that owner and mode. `path` is not followed where it
// is a symlink.
Result<Fd> OpenAndGive(const Fd& upper, const char* path, mode_t mode, uid_t owner);

}  // namespace cay::engine::native
