// NetworkSockets in a packet between processes of the engine: which there are as CBOR, and the
// descriptors beside it.
//
//   EncodeNetwork(writer, sockets);
//   const std::vector<Fd> fds = TakeDescriptors(std::move(sockets));      // sent with the text
#pragma once

#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "engine/engine.h"
#include "protocol/cbor.h"

namespace cay::engine::native {

void EncodeNetwork(protocol::CborWriter& writer, const NetworkSockets& sockets);
std::vector<Fd> TakeDescriptors(NetworkSockets sockets);

// kProtocol where what was said and what came are not the same.
Result<NetworkSockets> DecodeNetwork(protocol::CborReader& reader, std::vector<Fd> fds);

}  // namespace cay::engine::native
