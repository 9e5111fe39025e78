// Tombstones: which sandboxes were destroyed where the store could not be told, because the disk
// had no room for it. The next server tells it.
//
//   TRY(SetTombstone(state_dir, id, "requested"));
//   for (const auto& [id, reason] : ReadTombstones(state_dir)) …
//
// STATE/destroyed/ID is a symlink that points to nothing; its target is the reason. Up to 59 bytes
// of it are kept in the inode and its name in the directory's block, so that no other room is
// needed (ext4, XFS).
#pragma once

#include <map>
#include <string>

#include "base/id.h"
#include "base/result.h"

namespace cay::sandbox {

// While there is room: what the others need to be there.
Result<void> PrepareTombstones(const std::string& state_dir);

// No error when it is set already.
Result<void> SetTombstone(const std::string& state_dir, const SandboxId& id,
                          const std::string& reason);
void RemoveTombstone(const std::string& state_dir, const SandboxId& id);

// What cannot be read is left out, and left alone.
std::map<SandboxId, std::string> ReadTombstones(const std::string& state_dir);

}  // namespace cay::sandbox
