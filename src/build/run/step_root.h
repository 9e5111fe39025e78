// StepRoot: what the sandbox of a step has above the layers that the step stands on, and the step's
// own layer does not get: mount points, files of this step alone, /etc/hosts and the like.
//
//   StepRoot root = TRY(StepRoot::Make(store, lower, step));
//   … a sandbox of [root.directory(), the layers below] …
//   TRY(root.TakeOut(layer));              // of what the step wrote
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/result.h"
#include "build/run/step.h"
#include "template/store/layer_store.h"

namespace cay::build {

// Where secrets lie inside: a tmpfs, to which symlinks in their places lead.
inline constexpr std::string_view kSecretsDirectory = "/run/cay-secrets";

class StepRoot {
 public:
  // `lower`: the layers that the step stands on, the topmost first. kInvalidArgument where a target
  // cannot be made there.
  static Result<StepRoot> Make(templates::LayerStore& store, std::span<const Fd> lower,
                               const RunStep& step);

  std::string directory() const { return layer_.root(); }

  // Removes from a layer what the step wrote over these files: Docker's RUN leaves nothing of it.
  Result<void> TakeOut(const Fd& layer) const;

 private:
  StepRoot(templates::NewLayer layer, std::vector<std::string> files)
      : layer_(std::move(layer)), files_(std::move(files)) {}

  templates::NewLayer layer_;  // goes with this
  std::vector<std::string> files_;
};

}  // namespace cay::build
