// MetricsBook: what the manager counts. Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sandbox/metrics.h"

namespace cay::sandbox {

// Bucket i counts what took at most this long; the last one all that took longer as well.
constexpr uint64_t HistogramBoundUs(size_t bucket) { return uint64_t{64} << bucket; }
void Observe(Histogram& histogram, uint64_t us);

// What the engine did not describe is not counted: the number of histograms is bounded.
void ObserveStages(std::vector<StageHistogram>& histograms, const engine::StageTimes& times);

class MetricsBook {
 public:
  // `stages`: the names of a create's parts.
  explicit MetricsBook(const std::vector<std::string>& stages);

  template <class F>
  void Count(F&& change) {
    const std::lock_guard lock(mutex_);
    std::forward<F>(change)(metrics_);
  }
  ManagerMetrics Take() const {
    const std::lock_guard lock(mutex_);
    return metrics_;
  }

 private:
  mutable std::mutex mutex_;
  ManagerMetrics metrics_;  // without by_state and pools
};

}  // namespace cay::sandbox
