// The guest's program as a function of this same program, for engines that fork it instead of
// executing it.
#pragma once

#include "base/privileges.h"

namespace cay::engine {

// Runs the guest in the calling process, a new sandbox's first; never returns (guest/guest.h).
using GuestMain = void (*)(bool single_user, Privileges privileges);

}  // namespace cay::engine
