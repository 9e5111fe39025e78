// ServerMetrics: what /metrics of a server says of its stages, for the time between two looks.
//
//   const ServerMetrics before = TRY(ServerMetrics::Of(caller));
//   …
//   for (Row& row : TRY(ServerMetrics::Of(caller)).Since(before)) section.AddRow(std::move(row));
#pragma once

#include <map>
#include <string>
#include <vector>

#include "report.h"
#include "subjects/http_server.h"

namespace cay::bench {

class ServerMetrics {
 public:
  static Result<ServerMetrics> Of(HttpCaller& caller);

  // One row for each stage that something went through since, with its mean as p50 and p99:
  // histograms of /metrics have buckets, not samples. Named as parts of the row before.
  std::vector<Row> Since(const ServerMetrics& before) const;

 private:
  struct Total {
    double seconds = 0;
    double count = 0;
  };
  std::map<std::string, Total> totals_;  // by name and labels
};

}  // namespace cay::bench
