// Own names: what a sandbox is called, in the files of /etc that say so, written to its writable
// layer.
//
// A template has them for one host name (HostLayers::hostname); a sandbox with another name, or of
// a template without them, gets its own.
#pragma once

#include <sys/types.h>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

// How many inodes of the writable layer they take, at most.
inline constexpr uint64_t kOwnNamesInodes = 5;

// Ids of the writable layer's filesystem.
struct LayerOwners {
  uid_t root;
  uid_t owner;  // request.owner
};

// In `upper`, the fresh writable layer of "/": hosts, hostname and resolv.conf where the template's
// are not this sandbox's, and /workspace where it does not belong to request.owner.
Result<void> WriteOwnNames(const Fd& upper, const CreateRequest& request, LayerOwners owners);

// Whether that is what every sandbox of the usual name and owner gets on a root filesystem without
// names of its own; and that, for ids of the filesystem that begin at 0.
bool NeedsUsualNames(const CreateRequest& request);
Result<void> WriteUsualNames(const Fd& upper);

}  // namespace cay::engine::native
