// FlowRing: the last flows of one sandbox as the server knows them, whichever relay they came from.
// Numbers only go up, also over restarts of the server: they begin with the time in milliseconds.
// A number without a flow is one that was dropped before it could be told.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "network/link/flow.h"

namespace cay::sandbox {

struct NumberedFlow {
  uint64_t number = 0;
  network::Flow flow{};
};

struct FlowPage {
  std::vector<NumberedFlow> flows{};  // oldest first
  uint64_t from = 0;                  // after this one, as far as the ring knows numbers
  uint64_t next = 0;                  // what to ask after next
};

class FlowRing {
 public:
  static constexpr size_t kKept = 512;

  // The first flow has the number after `last`.
  explicit FlowRing(uint64_t last) : begin_(last), last_(last) {}

  void Add(network::Flow flow);
  // So many were lost.
  void Skip(uint64_t count) { last_ += count; }
  uint64_t last() const { return last_; }
  // After 0: from the first that there was. After a number that was not given yet: from now on.
  FlowPage After(uint64_t number, size_t limit) const;

 private:
  std::deque<NumberedFlow> flows_;
  const uint64_t begin_;
  uint64_t last_;
};

}  // namespace cay::sandbox
