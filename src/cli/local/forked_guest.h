// The guest that this program's launchers fork, if any.
#pragma once

#include "engine/native/spawn/guest_image.h"

namespace cay::cli {

// Null in a sanitized build: the system call filter does not allow what a sanitizer's run time
// does.
engine::native::GuestMain ForkedGuest();

}  // namespace cay::cli
