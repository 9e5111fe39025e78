// RequestMetrics: how many requests each operation answered, with which status, and how long until
// the answer began. A few atomics for each operation.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <string>

#include "api/dispatch/metrics_text.h"

namespace cay::api {

class RequestMetrics {
 public:
  // Before the first request; what it gives is handed to Count.
  size_t AddOperation(std::string name);
  // `microseconds`: from the request's head to the head of its response. Streams last longer.
  void Count(size_t operation, int status, uint64_t microseconds, uint64_t bytes);
  void Write(MetricsText& text) const;

 private:
  static constexpr size_t kClasses = 6;  // 1xx to 5xx; 0: cut off without an answer

  struct Operation {
    std::string name;
    std::array<std::atomic<uint64_t>, kClasses> by_class{};
    std::array<std::atomic<uint64_t>, sandbox::Histogram::kBuckets> buckets{};
    std::atomic<uint64_t> sum_us = 0;
    std::atomic<uint64_t> bytes = 0;
  };
  std::deque<Operation> operations_;
};

}  // namespace cay::api
