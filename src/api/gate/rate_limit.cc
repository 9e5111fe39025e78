#include "api/gate/rate_limit.h"

#include <algorithm>
#include <cmath>

namespace cay::api {

double TokenBucket::At(int64_t now_ms) const {
  const double elapsed = static_cast<double>(std::max<int64_t>(0, now_ms - last_ms_)) / 1000;
  return std::min(rate_.burst, tokens_ + elapsed * rate_.per_second);
}

std::optional<Millis> TokenBucket::Take(int64_t now_ms) {
  if (rate_.per_second <= 0) return std::nullopt;
  tokens_ = At(now_ms);
  last_ms_ = std::max(last_ms_, now_ms);
  if (tokens_ >= 1) {
    tokens_ -= 1;
    return std::nullopt;
  }
  return Millis(static_cast<int64_t>(std::ceil((1 - tokens_) / rate_.per_second * 1000)));
}

bool TokenBucket::full(int64_t now_ms) const { return At(now_ms) >= rate_.burst; }

std::optional<Millis> RateTable::Take(std::string_view name, Rate rate, int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  auto found = buckets_.find(std::string(name));
  if (found == buckets_.end()) {
    if (buckets_.size() >= kMaxNames) MakeRoom(now_ms);
    found = buckets_.emplace(name, TokenBucket(rate)).first;
  }
  return found->second.Take(now_ms);
}

void RateTable::MakeRoom(int64_t now_ms) {
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.full(now_ms); });
  if (buckets_.size() < kMaxNames) return;
  buckets_.erase(std::ranges::min_element(
      buckets_, {}, [](const auto& entry) { return entry.second.last_ms(); }));
}

size_t RateTable::size() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

}  // namespace cay::api
