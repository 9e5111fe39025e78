// Limits: how much of the network one sandbox may use.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace cay::network {

struct NetworkLimits {
  static constexpr uint32_t kMaxConnections = 4096;

  uint32_t connections = 256;             // at the same time
  uint32_t connections_per_second = 100;  // new ones; twice as many at once
  Bytes bytes_per_second = 0;             // both directions together; 0: as much as there is
  Bytes bytes = 0;                        // in all, both directions together; 0: any
  uint32_t idle_seconds = 3600;           // a connection on which nothing is sent ends after that

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.connections, kMaxConnections);
    codec.Field(2, self.connections_per_second);
    codec.Field(3, self.bytes_per_second);
    codec.Field(4, self.bytes);
    codec.Field(5, self.idle_seconds);
  }
  friend bool operator==(const NetworkLimits&, const NetworkLimits&) = default;
};

}  // namespace cay::network
