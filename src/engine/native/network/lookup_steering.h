// Steering by BPF sk_lookup (Linux 5.9; needs CAP_BPF and CAP_NET_ADMIN in the initial user
// namespace): no address is translated, nothing is tracked, and no port inside is used up. The
// link lives as long as its descriptor: when whoever holds it ends, connections are refused.
#pragma once

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

// Whether something steers in the calling thread's network namespace. kNotSupported where this
// user, or this kernel, has no such programs.
Result<bool> IsSteeredByLookup();

// From now on connections of the calling thread's network namespace go to the sockets: what is to
// be held. Some 0.3 ms, most of which the kernel takes to look at the program: each network has its
// own, as a program cannot tell in which namespace it runs. kNotSupported as above.
Result<Fd> SteerByLookup(const NetworkSockets& sockets);

}  // namespace cay::engine::native
