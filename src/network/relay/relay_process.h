// The relay as a process of its own: `cay net`, or a fork of `cay run`.
#pragma once

#include <optional>

#include "base/os/fd.h"
#include "base/result.h"
#include "network/link/relay_door.h"

namespace cay::network {

// The name by which main knows that this process is to be the relay.
inline constexpr const char* kRelayCommand = "net-relay";

// Forks one: the controller's end of its socket. It ends when that is closed. For a process with
// one thread. `cache`: the directory of a package cache (cache_place.h).
Result<Fd> ForkRelay(const std::optional<Fd>& cache = std::nullopt);

// Starts this program's file anew as one, for a process with threads. One with a door outlives its
// controller (relay.h): it is in a session of its own, and holds no pipe of the controller's.
// `cache`: as above.
Result<RelayProcess> SpawnRelay(std::optional<Door> door = {}, std::optional<Fd> cache = {});

// In the process that was spawned. Its exit code.
int ServeSpawnedRelay(Fd control);

}  // namespace cay::network
