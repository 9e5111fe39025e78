// StepRunner: a RUN, in a sandbox of its own on the layers so far. What it wrote is its layer.
//
//   StepRunner runner(engine, store, {.limits = limits, .network = &network}, stop);
//   const StepEnd end = TRY(runner.Run(step, chain.Roots(), layer.root(), output));
//
// The sandbox has root's privileges (decision 0046): what a step can reach is what code in any
// sandbox with them can. Its files become a layer as those of a snapshot do (decision 0047): no
// setuid, no devices, no attributes but user.*. Thread-safe: steps run beside each other.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "build/run/step.h"
#include "build/stop.h"
#include "engine/engine.h"
#include "template/store/layer_store.h"

namespace cay::build {

// What a step may use. What the machine cannot enforce is not refused: builds are their owner's.
struct StepLimits {
  engine::Limits limits{
      .memory = 4 * kGiB, .cpus = 1000, .pids = 4096, .disk = 20 * kGiB, .open_files = 65'536};
  Millis timeout{};  // of each step; 0: none
};

struct StepRunnerOptions {
  StepLimits limits{};
  StepNetwork* network = nullptr;  // null: steps have no network
};

class StepRunner {
 public:
  // All outlive it.
  StepRunner(engine::Engine& engine, templates::LayerStore& store, StepRunnerOptions options,
             const StopTimer& stop)
      : engine_(engine), store_(store), options_(options), stop_(stop) {}

  // `below`: root directories, the topmost first. `into`: an empty directory; it has the step's
  // layer where the end is a success. Errors are the machine's, or say that the command cannot be
  // started; how it ended is no error. Blocking.
  Result<StepEnd> Run(const RunStep& step, const std::vector<std::string>& below,
                      const std::string& into, const StepOutput& output);

 private:
  engine::Engine& engine_;
  templates::LayerStore& store_;
  const StepRunnerOptions options_;
  const StopTimer& stop_;
};

}  // namespace cay::build
