// The launcher as a process: `cay launcher`, a subcommand that is in no help text, or forked.
// NativeEngine starts it.
#pragma once

#include "base/os/fd.h"
#include "engine/native/spawn/guest_image.h"

namespace cay::engine::native {

// Serves requests from `control` (one end of a SEQPACKET pair) until its other end is closed; then
// ends what is ephemeral. The first packet of the client names the directories. Returns an exit
// code. `guest`: see LauncherOptions.
int ServeLauncher(Fd control, GuestMain guest);

}  // namespace cay::engine::native
