#include <latch>
#include <mutex>
#include <optional>
#include <thread>

#include "cases/cases.h"

namespace cay::bench {
namespace {

constexpr int kAtOnce = 100;

struct Burst {
  double wall_us = 0;
  Samples each{"each of 100 at once"};
  std::vector<SandboxId> made;
  std::vector<std::string> failures;
};

Burst CreateAtOnce(Island& island) {
  Burst burst;
  std::mutex mutex;
  std::latch ready(kAtOnce + 1);
  std::vector<std::jthread> threads;
  threads.reserve(kAtOnce);
  for (int i = 0; i < kAtOnce; ++i) {
    threads.emplace_back([&] {
      ready.arrive_and_wait();
      const Stopwatch stopwatch;
      Result<Island::Made> made = island.Create(engine::Scratch::kAuto, 64 * kMiB);
      const double us = stopwatch.microseconds();
      const std::scoped_lock lock(mutex);
      burst.each.Add(us);
      if (made) {
        burst.made.push_back(made->id);
      } else {
        burst.failures.push_back(made.error().ToString());
      }
    });
  }
  ready.arrive_and_wait();
  const Stopwatch wall;
  threads.clear();  // joins
  burst.wall_us = wall.microseconds();
  return burst;
}

}  // namespace

Result<void> MeasureParallel(Context& context) {
  Samples single("one at a time");
  for (int i = 0; i < 20; ++i) {
    const Stopwatch stopwatch;
    const Island::Made made = TRY(context.island.Create(engine::Scratch::kAuto, 64 * kMiB));
    single.Add(stopwatch.microseconds());
    TRY(context.island.Destroy(made.id));
  }
  const Burst burst = CreateAtOnce(context.island);
  for (const SandboxId& id : burst.made) TRY(context.island.Destroy(id));

  Section& section = context.report.AddSection("100 creates at once");
  section.AddSamples(single);
  section.AddSamples(burst.each);
  section.AddRow({.name = "wall, all of them",
                  .p50 = burst.wall_us / 1000,
                  .p99 = burst.wall_us / 1000,
                  .count = 1});
  section.AddFloor("creates that succeed", static_cast<double>(burst.made.size()), kAtOnce);
  section.AddBudget("wall (ms), at most 100 × one", burst.wall_us / 1000,
                    kAtOnce * single.Percentile(50) / 1000);
  if (!burst.failures.empty()) section.AddNote("the first failure: " + burst.failures.front());
  return {};
}

}  // namespace cay::bench
