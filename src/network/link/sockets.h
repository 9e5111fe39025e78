// Sockets: a sandbox's network as its engine hands it out (engine/engine.h, NetworkSockets): the
// same, for a layer that knows no engine; and what a relay gets with it.
#pragma once

#include <cstdint>
#include <optional>

#include "base/os/fd.h"

namespace cay::network {

enum class Steering : uint8_t { kLookup, kRedirect };

struct Sockets {
  Steering steering = Steering::kLookup;
  std::optional<Fd> tcp_v4{};
  std::optional<Fd> tcp_v6{};
  std::optional<Fd> dns_udp_v4{};
  std::optional<Fd> dns_udp_v6{};
  std::optional<Fd> hold{};
  // A pidfd of its guest. Without a controller nobody else tells a relay that a sandbox has ended:
  // what comes without one ends with the controller.
  std::optional<Fd> guest{};
  // The file of the names that another relay gave its programs (RelayLink::Open).
  std::optional<Fd> names{};
};

}  // namespace cay::network
