// TokenBucket: a rate with a burst, as a bucket that fills with time. Pure.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace cay::network {

class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  // `per_second` 0: there is no limit.
  TokenBucket(uint64_t per_second, uint64_t burst, Clock::time_point now)
      : per_second_(per_second), burst_(burst), left_(burst), filled_(now) {}

  uint64_t Left(Clock::time_point now) {
    if (per_second_ == 0) return UINT64_MAX;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - filled_).count();
    const auto elapsed = static_cast<uint64_t>(std::clamp<int64_t>(us, 0, 60'000'000));
    // In microseconds for each unit there would be rounding: what is not a whole unit stays time.
    const uint64_t more = elapsed * std::min(per_second_, kMost) / 1'000'000;
    if (more > 0) {
      left_ = std::min(burst_, left_ + more);
      filled_ += std::chrono::microseconds(more * 1'000'000 / std::min(per_second_, kMost));
    }
    if (left_ == burst_) filled_ = now;
    return left_;
  }
  void Spend(uint64_t amount) { left_ -= std::min(left_, amount); }

 private:
  static constexpr uint64_t kMost = uint64_t{1} << 38;  // a product above stays in 64 bits
  uint64_t per_second_;
  uint64_t burst_;
  uint64_t left_;
  Clock::time_point filled_;
};

}  // namespace cay::network
