// Which sandboxes have volumes, by what an engine says of them.
#pragma once

#include <vector>

#include "engine/engine.h"
#include "volume/store/volume_store.h"

namespace cay::engine {

// Without those that end with the program that made them, which have only what they have mounted.
std::vector<volume::VolumeUser> VolumeUsersOf(const std::vector<SandboxStatus>& sandboxes);

}  // namespace cay::engine
