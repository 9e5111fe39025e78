#include "sandbox/state/metrics_book.h"

namespace cay::sandbox {

void Observe(Histogram& histogram, uint64_t us) {
  size_t bucket = 0;
  while (bucket + 1 < Histogram::kBuckets && us > HistogramBoundUs(bucket)) ++bucket;
  ++histogram.counts[bucket];
  ++histogram.count;
  histogram.sum_us += us;
}

}  // namespace cay::sandbox
