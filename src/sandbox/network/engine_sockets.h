// A sandbox's network as an engine gives it, for a relay.
#pragma once

#include <utility>

#include "engine/engine.h"
#include "network/link/sockets.h"

namespace cay::sandbox {

inline network::Sockets SocketsOf(engine::NetworkSockets opened) {
  return {.steering = opened.steering == engine::Steering::kLookup ? network::Steering::kLookup
                                                                   : network::Steering::kRedirect,
          .tcp_v4 = std::move(opened.tcp_v4),
          .tcp_v6 = std::move(opened.tcp_v6),
          .dns_udp_v4 = std::move(opened.dns_udp_v4),
          .dns_udp_v6 = std::move(opened.dns_udp_v6),
          .hold = std::move(opened.hold)};
}

}  // namespace cay::sandbox
