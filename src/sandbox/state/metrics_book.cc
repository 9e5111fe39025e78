#include "sandbox/state/metrics_book.h"

#include <algorithm>

namespace cay::sandbox {

void Observe(Histogram& histogram, uint64_t us) {
  size_t bucket = 0;
  while (bucket + 1 < Histogram::kBuckets && us > HistogramBoundUs(bucket)) ++bucket;
  ++histogram.counts[bucket];
  ++histogram.count;
  histogram.sum_us += us;
}

void ObserveStages(std::vector<StageHistogram>& histograms, const engine::StageTimes& times) {
  for (const engine::StageTime& time : times) {
    const auto found = std::ranges::find(histograms, time.name, &StageHistogram::name);
    if (found != histograms.end()) Observe(found->us, time.us);
  }
}

MetricsBook::MetricsBook(const std::vector<std::string>& stages) {
  const size_t count = std::min(stages.size(), engine::kMaxStages);
  for (size_t i = 0; i < count; ++i) metrics_.stages.push_back({stages[i], {}});
}

}  // namespace cay::sandbox
