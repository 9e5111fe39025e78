// AtOnce: the same from many threads, each with a connection of its own.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/result.h"
#include "report.h"
#include "samples.h"
#include "subjects/http_server.h"

namespace cay::bench {

// What threads did: durations, and the first error of any.
class Tally {
 public:
  explicit Tally(std::string name) : samples_(std::move(name)) {}

  void Add(double microseconds, const Result<void>& done);
  const Samples& samples() const { return samples_; }
  const std::string& failure() const { return failure_; }

 private:
  std::mutex mutex_;
  Samples samples_;
  std::string failure_;
};

// Runs `each` in so many threads; the wall time in microseconds.
double AtOnce(const http::Url& url, int threads, const std::function<void(HttpCaller&)>& each);

Row Wall(double microseconds);

}  // namespace cay::bench
