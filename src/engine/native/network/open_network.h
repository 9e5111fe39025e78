// OpenNetwork: the making of a sandbox's network while it runs (engine.h, NetworkSockets). Without
// it the sandbox's namespace has `lo` and nothing more, and nothing of this exists.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "engine/native/spawn/netns.h"

namespace cay::engine::native {

// In the network namespace of the guest behind the pidfd. `pool`: of a launcher that is root, whose
// thread enters the namespace and comes back. Null: the sandbox is an ordinary user's, and a child
// process enters it, as root of the sandbox's user namespace. What fails leaves the network as it
// was, except that addresses may have become local.
Result<NetworkSockets> OpenNetwork(const Fd& guest, const NetnsPool* pool);

// In the calling thread's network namespace, whose `lo` is up.
Result<NetworkSockets> OpenNetworkHere();

// Namespaces whose network is open before there is a sandbox: half a millisecond less for the one
// that gets it. Nothing is served in them, and nobody is inside.
Result<NetnsPool> PoolOfOpenNetworks(size_t wanted);
// Of one that this pool gave.
Result<NetworkSockets> TakeNetwork(Furniture furniture);

// Whether connections could be steered so, in the calling thread's network namespace, which is one
// of the caller's own: nothing of it stays, but an empty table may.
Result<void> TrySteering(Steering steering);

}  // namespace cay::engine::native
