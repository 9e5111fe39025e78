// Rate limits: token buckets, one for a key and one for each address that fails to authenticate.
//
//   TokenBucket bucket({.per_second = 10, .burst = 20});
//   if (auto wait = bucket.Take(now)) …   // 429, Retry-After *wait
//
// Times are handed in, in milliseconds of any steady clock, so that tests need not wait.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/units.h"

namespace cay::api {

struct Rate {
  double per_second = 0;  // 0: no bound
  double burst = 0;       // tokens that a full bucket has; at least 1
};

class TokenBucket {
 public:
  explicit TokenBucket(Rate rate) : rate_(rate), tokens_(rate.burst) {}

  // Takes one, or says how long until there is one.
  std::optional<Millis> Take(int64_t now_ms);
  bool full(int64_t now_ms) const;
  int64_t last_ms() const { return last_ms_; }

 private:
  double At(int64_t now_ms) const;

  Rate rate_;
  double tokens_;
  int64_t last_ms_ = 0;
};

// A bucket for each of many names. Bounded: when it is full, buckets that have refilled are
// removed, then those that were not used for longest: a flood from many addresses cannot make it
// grow, only forget.
class RateTable {
 public:
  static constexpr size_t kMaxNames = 4096;

  // A name's bucket is made with the rate of its first use after it was forgotten.
  std::optional<Millis> Take(std::string_view name, Rate rate, int64_t now_ms);
  size_t size() const;

 private:
  void MakeRoom(int64_t now_ms);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, TokenBucket> buckets_;
};

}  // namespace cay::api
