// ApplyCopy: the layer of a CopyPlan.
//
//   templates::NewLayer layer = …;
//   const LayerReport report = TRY(ApplyCopy(plan, lower, root, {.expected_digest = key}));
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/os/fd.h"
#include "base/result.h"
#include "build/copy/copy_plan.h"
#include "template/layers/unpack_layer.h"

namespace cay::build {

struct ApplyOptions {
  templates::LayerOptions layer{};
  // CopyDigest of the plan: where a source was changed between the two, the layer would stand under
  // a key that is not its own. kInvalidArgument with ESTALE then; costs a digest of all content.
  std::optional<std::string> expected_digest{};
};

// Through templates::UnpackLayer, which has the last word on what a layer may hold. `lower` as for
// PlanCopy; `root`: an empty directory, in which what was written before an error stays. Uses a
// thread of its own while it runs. Blocking.
Result<templates::LayerReport> ApplyCopy(CopyPlan& plan, std::span<const Fd> lower, const Fd& root,
                                         const ApplyOptions& options = {});

}  // namespace cay::build
