// The launcher as a process: `cay launcher`, a subcommand that is in no help text. NativeEngine
// starts it.
#pragma once

#include "base/fd.h"

namespace cay::engine::native {

// Serves requests from `control` (one end of a SEQPACKET pair) until its other end is closed; then
// ends what is ephemeral. The first packet of the client names the directories. Returns an exit
// code.
int ServeLauncher(Fd control);

}  // namespace cay::engine::native
