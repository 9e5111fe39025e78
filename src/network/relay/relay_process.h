// The relay as a process of its own: `cay net`, or a fork of `cay run`.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::network {

// The name by which main knows that this process is to be the relay.
inline constexpr const char* kRelayCommand = "net-relay";

// Forks one: the controller's end of its socket. It ends when that is closed. For a process with
// one thread.
Result<Fd> ForkRelay();

// Starts this program's file anew as one, for a process with threads. `pidfd`: for one that hangs.
struct RelayProcess {
  Fd control;
  Fd pidfd;
};
Result<RelayProcess> SpawnRelay();

// In the new process. Its exit code.
int ServeRelay(Fd control);

}  // namespace cay::network
