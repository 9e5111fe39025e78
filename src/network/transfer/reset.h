// How a connection that was refused or has broken ends for who is at its other side.
#pragma once

#include <sys/socket.h>

#include <array>

#include "base/os/fd.h"

namespace cay::network {

// The other side hears ECONNRESET, and no end that it could take for one of what was sent. Where
// that is a Unix socket this has no effect, and it sees an end.
inline void ResetOnClose(const Fd& socket) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

// Takes in what has come and nobody reads: what is unread turns the end into a reset, and an answer
// before it is lost. As much as a sender has under way, and no more.
inline void DrainSocket(const Fd& socket) {
  std::array<char, 16'384> space;
  for (int i = 0; i < 64; ++i) {
    if (::recv(socket.get(), space.data(), space.size(), MSG_DONTWAIT) <= 0) return;
  }
}

}  // namespace cay::network
