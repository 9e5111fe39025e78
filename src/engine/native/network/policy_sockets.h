// The sockets through which a sandbox's network is served (engine.h, NetworkSockets).
#pragma once

#include <cstdint>

#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

// In the calling thread's network namespace, bound to kPolicyV4 and kPolicyV6, which need not be
// local yet. Nothing is steered to them. kIllegalState where a program inside has the port that an
// answer to a name must come from.
//
// Of Steering::kLookup the sockets for names are bound to port 53, from which they answer: whoever
// inside wants UDP port 53 of all addresses must say SO_REUSEADDR; of one address it may have it.
Result<NetworkSockets> OpenPolicySockets(Steering steering, bool ipv6);

// What a socket of these is bound to.
Result<uint16_t> PortOf(const Fd& socket);

}  // namespace cay::engine::native
