// A network namespace in which every address is local: whatever a program inside connects to, the
// connection ends at a socket of the namespace.
#pragma once

#include "base/result.h"

namespace cay::engine::native {

// kInternal where an interface besides `lo` is up in the calling thread's network namespace: that
// is the machine's own network, or a container's, and must stay as it is.
Result<void> CheckLeadsNowhere();

// Whether the machine has IPv6, and the `lo` of the calling thread's network namespace ::1.
bool HasIpv6();

// In the calling thread's network namespace, whose `lo` is up: gives `lo` the sandbox's own
// addresses (engine.h) and makes all others local. No ping is answered any more, as otherwise every
// address would. What is there already stays.
Result<void> MakeEveryAddressLocal(bool ipv6);

}  // namespace cay::engine::native
