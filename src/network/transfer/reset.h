// ResetOnClose: how a connection that was refused or has broken ends for who is at its other side.
#pragma once

#include <sys/socket.h>

#include "base/os/fd.h"

namespace cay::network {

// The other side hears ECONNRESET, and no end that it could take for one of what was sent. Where
// that is a Unix socket this has no effect, and it sees an end.
inline void ResetOnClose(const Fd& socket) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace cay::network
