// The relay as a process of its own: `cay net`, or a fork of `cay run`.
#pragma once

#include <optional>
#include <span>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::network {

// The name by which main knows that this process is to be the relay.
inline constexpr const char* kRelayCommand = "net-relay";
// What it is started with as well, when its descriptor 3 is the directory of a package cache.
inline constexpr const char* kRelayHasCache = "cache";

// Forks one: the controller's end of its socket. It ends when that is closed. For a process with
// one thread. `cache`: the directory of a package cache (cache_place.h).
Result<Fd> ForkRelay(const std::optional<Fd>& cache = std::nullopt);

// Starts this program's file anew as one, for a process with threads. `pidfd`: for one that hangs.
struct RelayProcess {
  Fd control;
  Fd pidfd;
};
Result<RelayProcess> SpawnRelay(const std::optional<Fd>& cache = std::nullopt);

// In the new process. Its exit code.
int ServeRelay(Fd control, std::optional<Fd> cache);
// Of a process that was started by SpawnRelay, with its arguments after kRelayCommand.
int ServeSpawnedRelay(std::span<char* const> arguments);

}  // namespace cay::network
