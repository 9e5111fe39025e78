#include "server_metrics.h"

#include <array>
#include <sstream>

namespace cay::bench {
namespace {

struct Family {
  std::string_view metric;
  std::string_view shown;
};
constexpr std::array<Family, 5> kFamilies{{{"cay_sandbox_create_seconds", "manager: create"},
                                           {"cay_create_stage_seconds", "engine: create"},
                                           {"cay_sandbox_destroy_seconds", "manager: destroy"},
                                           {"cay_process_start_seconds", "keeper: start"},
                                           {"cay_execute_seconds", "keeper: execute"}}};

// What stands between the quotes of {stage="layers"}; nothing without labels.
std::string LabelValue(std::string_view labels) {
  const size_t from = labels.find('"');
  const size_t to = labels.rfind('"');
  return from < to ? " " + std::string(labels.substr(from + 1, to - from - 1)) : "";
}

}  // namespace

Result<ServerMetrics> ServerMetrics::Of(HttpCaller& caller) {
  ServerMetrics metrics;
  std::istringstream lines(TRY(caller.Call("GET", "/metrics", "", 200)));
  for (std::string line; std::getline(lines, line);) {
    for (const Family& family : kFamilies) {
      if (!line.starts_with(family.metric)) continue;
      const std::string_view rest = std::string_view(line).substr(family.metric.size());
      const bool is_sum = rest.starts_with("_sum");
      const size_t blank = line.rfind(' ');
      if ((!is_sum && !rest.starts_with("_count")) || blank == std::string::npos) continue;
      Total& total = metrics.totals_[std::string(family.shown) + LabelValue(rest)];
      const double value = std::strtod(line.c_str() + blank, nullptr);
      (is_sum ? total.seconds : total.count) = value;
    }
  }
  return metrics;
}

std::vector<Row> ServerMetrics::Since(const ServerMetrics& before) const {
  std::vector<Row> rows;
  for (const auto& [name, total] : totals_) {
    const auto found = before.totals_.find(name);
    const Total then = found == before.totals_.end() ? Total{} : found->second;
    const double count = total.count - then.count;
    if (count < 1) continue;
    const double mean = (total.seconds - then.seconds) / count * 1000;
    rows.push_back({.name = "  mean of " + name,
                    .p50 = mean,
                    .p99 = mean,
                    .count = static_cast<size_t>(count)});
  }
  return rows;
}

}  // namespace cay::bench
