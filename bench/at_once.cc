#include "at_once.h"

#include <latch>
#include <thread>
#include <vector>

namespace cay::bench {

void Tally::Add(double microseconds, const Result<void>& done) {
  const std::scoped_lock lock(mutex_);
  if (done) {
    samples_.Add(microseconds);
  } else if (failure_.empty()) {
    failure_ = done.error().ToString();
  }
}

double AtOnce(const http::Url& url, int threads, const std::function<void(HttpCaller&)>& each) {
  std::latch ready(threads + 1);
  std::vector<std::jthread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&] {
      auto caller = HttpCaller::Open(url);
      ready.arrive_and_wait();
      if (caller) each(*caller);
    });
  }
  ready.arrive_and_wait();
  const Stopwatch wall;
  running.clear();  // joins
  return wall.microseconds();
}

Row Wall(double microseconds) {
  return {.name = "wall, all of them",
          .p50 = microseconds / 1000,
          .p99 = microseconds / 1000,
          .count = 1};
}

}  // namespace cay::bench
