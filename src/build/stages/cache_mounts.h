// CacheMounts: the --mount=type=cache of one RUN. What a cache holds is layers of the store: a step
// sees them, and what it writes there is the next of them. So a step that goes on while another one
// writes sees what was there when it began, and nothing that either wrote is lost. What a cache can
// hold is bounded as all that builds keep (template/store/built_layers.h), and it is its owner's.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/run/step.h"
#include "build/stages/stage_build.h"
#include "template/dockerfile/instruction.h"

namespace cay::build {

class CacheMounts {
 public:
  explicit CacheMounts(BuildParts& parts) : parts_(parts) {}

  // As a mount of the step; one that is locked waits for the other steps that lock caches. `begin`
  // makes the first layer of a cache that has nothing yet.
  Result<StepMount> Take(const templates::dockerfile::RunMount& mount, const std::string& target,
                         const std::function<Result<templates::NewLayer>()>& begin);
  // What the step wrote is in the caches from now on; also of a step that failed.
  Result<void> Keep(const StepEnd& end);

  // An empty layer whose directory is as the mount wants it.
  static Result<templates::NewLayer> Begin(StepLayers& layers,
                                           const templates::dockerfile::RunMount& mount);

 private:
  struct Taken {
    std::string key;
    std::optional<templates::NewLayer> first;  // of a cache that had nothing
    templates::NewLayer written;
    std::shared_ptr<const void> hold;
  };
  Result<void> KeepOne(Taken& taken, Bytes written);

  BuildParts& parts_;
  std::unique_lock<std::mutex> alone_{};  // sharing=locked
  std::vector<Taken> taken_{};
};

}  // namespace cay::build
