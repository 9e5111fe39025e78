// Orphans: sandboxes that were promised to somebody, and that no row of the store names: the
// database was lost, or is an older copy. The engine keeps them, and nobody may use them, until an
// administrator says whose they are (`cay adopt`) or that they are nobody's (`cay gc --orphans`).
#pragma once

#include <string_view>
#include <vector>

#include "sandbox/lifecycle/core.h"

namespace cay::sandbox {

// The oldest first.
Result<std::vector<Orphan>> ListOrphans(Core& core);

// One at a time. The orphan becomes the caller's where nothing says whose it was.
Result<SandboxView> AdoptOrphan(Core& core, const Caller& caller, std::string_view id,
                                const Adoption& adoption);

}  // namespace cay::sandbox
