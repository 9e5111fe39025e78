#include "samples.h"

#include <algorithm>
#include <cmath>
#include <thread>

namespace cay::bench {

double Samples::Percentile(double percent) const {
  if (us_.empty()) return 0;
  std::vector<double> sorted = us_;
  std::ranges::sort(sorted);
  const auto rank =
      static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return sorted[std::clamp<size_t>(rank, 1, sorted.size()) - 1];
}

Result<std::vector<Samples>> MeasureInTurn(const std::vector<Contender>& contenders,
                                           Rounds rounds) {
  std::vector<Samples> samples;
  samples.reserve(contenders.size());
  for (const Contender& contender : contenders) samples.emplace_back(contender.name);
  for (int round = -rounds.warm_up; round < rounds.rounds; ++round) {
    for (size_t i = 0; i < contenders.size(); ++i) {
      const Contender& contender = contenders[i];
      std::this_thread::sleep_for(rounds.rest);
      const Stopwatch stopwatch;
      Result<void> result = contender.operation();
      const double us = stopwatch.microseconds();
      if (result && contender.between) result = contender.between();
      if (!result) return Failure(std::move(result).error().WithContext(contender.name));
      if (round >= 0) samples[i].Add(us);
    }
  }
  return samples;
}

}  // namespace cay::bench
