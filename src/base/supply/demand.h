// Demand: how many of a thing to keep ready. A number at rest; each time that none was ready it
// doubles, up to a bound; when there is no more demand it is taken back, at once or one by one.
//
//   Demand wanted(1, 4);
//   … none was ready: wanted.NoteMiss(); …           // 2
//   while (ready.size() < wanted.target()) …
//   … a rest: wanted.Rest(); …                       // 1
//
// For one thread, or under a lock.
#pragma once

#include <algorithm>
#include <cstddef>

namespace cay {

class Demand {
 public:
  // `most` is at least `at_rest`; where it is 0, nothing is ever kept ready.
  Demand(size_t at_rest, size_t most) : at_rest_(at_rest), most_(most), target_(at_rest) {}

  void NoteMiss() { target_ = std::min(2 * std::max<size_t>(target_, 1), most_); }
  void Rest() { target_ = at_rest_; }
  // One less; false when it is the number at rest already.
  bool TakeOneBack() {
    if (target_ == at_rest_) return false;
    --target_;
    return true;
  }
  size_t target() const { return target_; }

 private:
  size_t at_rest_;
  size_t most_;
  size_t target_;
};

}  // namespace cay
