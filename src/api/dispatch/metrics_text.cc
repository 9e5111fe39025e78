#include "api/dispatch/metrics_text.h"

#include <bit>
#include <charconv>

namespace cay::api {
namespace {

constexpr unsigned kFirstBoundLog2 = 6;  // 64 µs

void AppendEscaped(std::string& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
  }
}

std::string Number(double value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

uint64_t BucketBound(size_t bucket) { return uint64_t{1} << (kFirstBoundLog2 + bucket); }

size_t BucketOf(uint64_t microseconds) {
  if (microseconds <= BucketBound(0)) return 0;
  const auto bits = static_cast<size_t>(std::bit_width(microseconds - 1));
  return std::min(bits - kFirstBoundLog2, sandbox::Histogram::kBuckets - 1);
}

MetricsText& MetricsText::Family(std::string_view name, std::string_view type,
                                 std::string_view help) {
  family_ = name;
  text_.append("# HELP ").append(name).append(" ");
  AppendEscaped(text_, help);
  text_.append("\n# TYPE ").append(name).append(" ").append(type).append("\n");
  return *this;
}

void MetricsText::Line(std::string_view suffix, Labels labels, std::string_view le,
                       std::string_view value) {
  text_.append(family_).append(suffix);
  char separator = '{';
  const auto label = [&](std::string_view name, std::string_view content) {
    text_ += separator;
    text_.append(name).append("=\"");
    AppendEscaped(text_, content);
    text_ += '"';
    separator = ',';
  };
  for (const auto& [name, content] : labels) label(name, content);
  if (!le.empty()) label("le", le);
  if (separator == ',') text_ += '}';
  text_.append(" ").append(value).append("\n");
}

MetricsText& MetricsText::Sample(Labels labels, uint64_t value) {
  Line("", labels, "", std::to_string(value));
  return *this;
}

MetricsText& MetricsText::Sample(Labels labels, double value) {
  Line("", labels, "", Number(value));
  return *this;
}

MetricsText& MetricsText::Histogram(Labels labels, const sandbox::Histogram& histogram) {
  uint64_t below = 0;
  for (size_t i = 0; i + 1 < sandbox::Histogram::kBuckets; ++i) {
    below += histogram.counts[i];
    Line("_bucket", labels, Number(static_cast<double>(BucketBound(i)) / 1e6),
         std::to_string(below));
  }
  // From the buckets themselves: the total was counted at another instant.
  below += histogram.counts[sandbox::Histogram::kBuckets - 1];
  Line("_bucket", labels, "+Inf", std::to_string(below));
  Line("_sum", labels, "", Number(static_cast<double>(histogram.sum_us) / 1e6));
  Line("_count", labels, "", std::to_string(below));
  return *this;
}

}  // namespace cay::api
