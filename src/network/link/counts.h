// Counts of one sandbox's network since it was opened.
#pragma once

#include <cstdint>

namespace cay::network {

struct NetworkCounts {
  uint64_t connections = 0;  // that were made, whatever came of them
  uint64_t open = 0;
  uint64_t denied = 0;  // connections and names
  uint64_t failed = 0;
  uint64_t sent = 0;  // bytes, from the sandbox
  uint64_t received = 0;
  uint64_t inbound = 0;  // of the connections: from outside

  static void Fields(auto& self, auto& codec) {
    codec.Field(1, self.connections);
    codec.Field(2, self.open);
    codec.Field(3, self.denied);
    codec.Field(4, self.failed);
    codec.Field(5, self.sent);
    codec.Field(6, self.received);
    codec.Field(7, self.inbound);
  }
};

}  // namespace cay::network
