// The socket that a guest listens on, by its name on the host: ID/guest.sock in the sandboxes'
// directory. What is in the sandbox cannot reach the name.
//
//   Fd listening = TRY(BindGuestSocket(dir));           // before the guest is made
//   Fd stream = TRY(ConnectToGuest(dir, Millis(1000)));
//
// A paused sandbox's socket has another name, so that a caller that connects without asking the
// launcher does not end up in the queue of a guest that cannot answer.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"
#include "base/units.h"

namespace cay::engine::native {

enum class GuestSocketName { kReachable, kPaused };
const char* FileName(GuestSocketName name);

// Bound, not listening; only its owner may connect. What had the name before is removed.
Result<Fd> BindGuestSocket(const Fd& sandbox_dir);

// A blocking stream. Waits for at most `patience` while the guest's queue is full; kUnavailable for
// every failure, with errno: EAGAIN for that one.
Result<Fd> ConnectToGuest(const Fd& sandbox_dir, Millis patience,
                          GuestSocketName name = GuestSocketName::kReachable);

// A pidfd of the process that listens at the other end: SO_PEERCRED of a connection is what
// listen(2) noted.
Result<Fd> OpenGuest(const Fd& connection);

// Gives the socket the other name. No error when it has that already.
Result<void> RenameGuestSocket(const Fd& sandbox_dir, GuestSocketName to);

}  // namespace cay::engine::native
