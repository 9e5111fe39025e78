// Uppers made ahead: what the writable layer of "/" of a fresh sandbox has in it, for each kind of
// root filesystem, in every empty image (scratch.h).
//
// In an image that was just mounted each block that is looked up is a trip to the disk: to make
// five files cost 0.7 ms, to remove eleven directories 0.5. So an image has one directory for each
// kind beside the other, and a sandbox exchanges names of two of them.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/native/rootfs/own_names.h"
#include "engine/native/rootfs/usual_places.h"

namespace cay::engine::native {

// The inodes that what a sandbox does not use takes, at most: two directories, own names or, where
// they were exchanged, the usual places.
inline constexpr uint64_t kUppersAheadInodes = 2 + kOwnNamesInodes + kUsualPlaces.size();

// In `overlay`, a directory that has the empty upper/ of "/" in it. All belongs to 0 and the ids
// after it.
Result<void> MakeUppersAhead(const Fd& overlay);

// In `scratch`, a fresh image: 0/upper becomes that of the request's kind, and what the request has
// otherwise (WriteOwnNames) is written to it.
Result<void> FurnishUpper(const Fd& scratch, const CreateRequest& request);

}  // namespace cay::engine::native
