#include "api/dispatch/request_metrics.h"

namespace cay::api {
namespace {

constexpr std::array<std::string_view, 6> kClassNames = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

}  // namespace

size_t RequestMetrics::AddOperation(std::string name) {
  operations_.emplace_back().name = std::move(name);
  return operations_.size() - 1;
}

void RequestMetrics::Count(size_t operation, int status, uint64_t microseconds, uint64_t bytes) {
  Operation& counted = operations_[operation];
  const int status_class = status / 100;
  ++counted
        .by_class[status_class >= 1 && status_class <= 5 ? static_cast<size_t>(status_class) : 0];
  ++counted.buckets[BucketOf(microseconds)];
  counted.sum_us += microseconds;
  counted.bytes += bytes;
}

void RequestMetrics::Write(MetricsText& text) const {
  text.Family("cay_http_requests_total", "counter", "Requests by operation and class of status.");
  for (const Operation& operation : operations_) {
    for (size_t i = 0; i < kClasses; ++i) {
      if (const uint64_t count = operation.by_class[i].load(); count != 0) {
        text.Sample({{"operation", operation.name}, {"status", kClassNames[i]}}, count);
      }
    }
  }
  text.Family("cay_http_response_bytes_total", "counter", "Bytes of response bodies by operation.");
  for (const Operation& operation : operations_) {
    if (const uint64_t bytes = operation.bytes.load(); bytes != 0) {
      text.Sample({{"operation", operation.name}}, bytes);
    }
  }
  text.Family("cay_http_request_seconds", "histogram",
              "From a request's head to the head of its response, by operation.");
  for (const Operation& operation : operations_) {
    sandbox::Histogram histogram;
    uint64_t seen = 0;
    for (size_t i = 0; i < histogram.counts.size(); ++i) {
      seen += histogram.counts[i] = operation.buckets[i].load();
    }
    histogram.sum_us = operation.sum_us.load();
    if (seen != 0) text.Histogram({{"operation", operation.name}}, histogram);
  }
}

}  // namespace cay::api
