// Which volumes a sandbox can ask for. Pure; whether they are there is the keeper's to say
// (sandbox/volumes/volume_keeper.h).
#pragma once

#include <vector>

#include "base/result.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// kInvalidArgument for names that no volume has, for paths that are not absolute, for a volume or a
// path that is named twice, and for more than a sandbox can have.
Result<void> CheckVolumeUses(const std::vector<VolumeUse>& uses);

}  // namespace cay::sandbox
