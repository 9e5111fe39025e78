// The trials of probe.h that change the process which makes them: each set runs in a child of its
// own, which reports and ends.
#pragma once

#include <string>

#include "base/result.h"
#include "engine/native/probe/probe.h"

namespace cay::engine::native {

// Enters a user namespace and, inside it, everything that a sandbox consists of. Fills
// kUserNamespace to kLandlockScopes (kOverlay only for an ordinary user), kNftRedirect, and what
// root tries with that namespace as a map: kIdmappedMounts, kIdmappedUsr, kOverlayOnIdmapped and
// kOverlay. In another child kSkLookup.
Result<void> TryInChildren(const std::string& state_dir, Facts& facts);

}  // namespace cay::engine::native
