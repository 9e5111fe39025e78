// Demand: how many of a thing to keep ready. A number at rest; each time that none was ready it
// doubles, up to a bound; a rest takes it back. For one thread.
#pragma once

#include <algorithm>
#include <cstddef>

namespace cay::engine::native {

class Demand {
 public:
  // `most` is at least `at_rest`; where that is 0, nothing is ever kept ready.
  Demand(size_t at_rest, size_t most) : at_rest_(at_rest), most_(most), target_(at_rest) {}

  void NoteMiss() { target_ = std::min(2 * target_, most_); }
  void Rest() { target_ = at_rest_; }
  size_t target() const { return target_; }

 private:
  size_t at_rest_;
  size_t most_;
  size_t target_;
};

}  // namespace cay::engine::native
