// Attach: what the child does with its filesystems once it is alone in its mount namespace: puts
// the detached mounts in place, makes that the root, and lets the host's tree go.
//
// Targets lie in a tree that code inside may have shaped in an earlier life of the sandbox, or that
// a hostile template brought along: every one is resolved by openat2(2) below the new root, fixed
// ones without following any symlink (runc CVE-2019-16884, CVE-2023-27561, CVE-2025-31133).
#pragma once

#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/native/rootfs/cover.h"
#include "engine/native/rootfs/proc_masks.h"
#include "engine/native/rootfs/rootfs.h"

namespace cay::engine::native {

struct AttachOptions {
  bool noexec = false;
  bool read_only = false;    // CreateRequest::read_only
  bool single_user = false;  // devpts without gid 5, which has no mapping
  uint32_t owner = 1000;     // CreateRequest::owner
};

// Filesystems that belong to the child's own namespaces; made while the launcher still builds the
// others.
struct OwnMounts {
  Fd proc;
  std::vector<ProcMask> proc_masks;
  bool proc_is_covered = false;
  Covers covers;
  Fd pts;
};
Result<OwnMounts> MakeOwnMounts(const AttachOptions& options);

// Covers what /proc is not to show while /proc is still detached. Before Linux 6.15 that is not
// possible, and AttachRoot does it.
Result<void> CoverAhead(OwnMounts& own);

// Attaches everything, covers what /proc is not to show, pivots, detaches the host's tree. The
// working directory is then "/".
Result<void> AttachRoot(std::vector<PlacedMount> mounts, OwnMounts own,
                        const AttachOptions& options);

}  // namespace cay::engine::native
