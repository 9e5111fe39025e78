// Steering by nftables: a nat chain at the output hook, in tables that the kernel removes with the
// socket that made them (NFT_TABLE_F_OWNER, Linux 5.12). It needs CAP_NET_ADMIN over the network
// namespace only, so an ordinary user's sandboxes have it. The destination is translated to the
// sockets' own address; which it was the kernel's connection tracking knows (SO_ORIGINAL_DST).
#pragma once

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"

namespace cay::engine::native {

// From now on connections of the calling thread's network namespace go to the sockets: what is to
// be held. kIllegalState where one that was made before is still held; kNotSupported, with what is
// missing, where this kernel cannot.
Result<Fd> SteerByRedirect(const NetworkSockets& sockets);

}  // namespace cay::engine::native
