// Samples: durations of one operation, and contenders measured in turn (A B A B …), so that what
// else the machine does meets all of them alike.
//
//   std::vector<Contender> contenders;
//   contenders.push_back({"cay", [&] { return CreateAndDestroy(); }});
//   contenders.push_back({"bwrap", [&] { return bubblewrap.Run(); }});
//   auto samples = TRY(MeasureInTurn(contenders, {.rounds = 200, .warm_up = 10}));
//   samples[0].Percentile(50)   // microseconds
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace cay::bench {

class Samples {
 public:
  explicit Samples(std::string name) : name_(std::move(name)) {}

  void Add(double microseconds) { us_.push_back(microseconds); }

  const std::string& name() const { return name_; }
  size_t count() const { return us_.size(); }

  // The nearest-rank percentile, in microseconds; 0 without samples.
  double Percentile(double percent) const;

 private:
  std::string name_;
  std::vector<double> us_;
};

struct Contender {
  std::string name;
  std::function<Result<void>()> operation;     // what is timed
  std::function<Result<void>()> between = {};  // untimed, after each operation; may be empty
};

struct Rounds {
  int rounds = 100;
  int warm_up = 5;  // rounds before the measured ones
  // Before each operation: what the one before it left for later (unmounting, a launcher's end) is
  // not to be measured with it, whoever's it is.
  std::chrono::milliseconds rest{0};
};

// One Samples for each contender, in their order. Ends at the first error, naming the contender.
Result<std::vector<Samples>> MeasureInTurn(const std::vector<Contender>& contenders, Rounds rounds);

class Stopwatch {
 public:
  double microseconds() const {
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace cay::bench
