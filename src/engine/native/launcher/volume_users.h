// Who has a volume, by the records of sandboxes: a sandbox has those it was made with until it is
// destroyed, whether it runs or not. What is mounted is locked besides (volume/volume_dir.h).
#pragma once

#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

// The locks of the volumes' directories: while they are held nobody else can get a volume that was
// free. Write the sandbox's record, and let them go. kIllegalState, and who it is, where another
// sandbox has one of them otherwise than reading together; kNotFound where there is no such volume.
Result<std::vector<Fd>> ClaimVolumes(const std::string& sandboxes_dir,
                                     std::vector<VolumeMount> volumes);

}  // namespace cay::engine::native
