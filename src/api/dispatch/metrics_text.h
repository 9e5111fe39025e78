// MetricsText: the text format of Prometheus, version 0.0.4, written so that it is always valid: a
// family's name, help and type once and before its samples, label values escaped, histograms
// cumulative and with +Inf.
//
//   MetricsText text;
//   text.Family("cay_sandboxes", "gauge", "Sandboxes by state.");
//   text.Sample({{"state", "running"}}, 3);
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "sandbox/metrics.h"

namespace cay::api {

class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  // `type`: "counter" (names end in _total), "gauge", "histogram".
  MetricsText& Family(std::string_view name, std::string_view type, std::string_view help);
  // Of the family before.
  MetricsText& Sample(Labels labels, uint64_t value);
  MetricsText& Sample(Labels labels, double value);
  // Microseconds shown as seconds.
  MetricsText& Histogram(Labels labels, const sandbox::Histogram& histogram);

  const std::string& text() const { return text_; }

 private:
  void Line(std::string_view suffix, Labels labels, std::string_view le, std::string_view value);

  std::string text_;
  std::string family_;
};

// The upper bound of a histogram's bucket, in microseconds: 64, 128 … The last has none.
uint64_t BucketBound(size_t bucket);
size_t BucketOf(uint64_t microseconds);

}  // namespace cay::api
