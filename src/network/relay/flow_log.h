// FlowLog: the last flows of one sandbox, numbered from 1 without gaps. A flow that is as the one
// before it is counted there.
#pragma once

#include <cstdint>
#include <deque>

#include "network/link/messages.h"

namespace cay::network {

class FlowLog {
 public:
  static constexpr size_t kKept = 512;

  void Add(Flow flow);
  // Those with higher numbers, as far as they are kept and fit into one reply.
  Flows After(uint64_t number);
  // The number of the oldest that is kept, or of the next one.
  uint64_t first() const { return last_ + 1 - flows_.size(); }
  // Up to which number they have been told: nothing changes up to it.
  uint64_t told() const { return told_; }

 private:
  std::deque<Flow> flows_;
  uint64_t last_ = 0;
  uint64_t told_ = 0;
};

}  // namespace cay::network
