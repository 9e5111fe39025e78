// Files of a tree as a layer of their own, which no image has: what binds and caches are made of.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "build/cache/chain.h"
#include "build/copy/copy_plan.h"
#include "build/copy/file_tree.h"
#include "template/store/layer_store.h"

namespace cay::build {

// The layers of a chain, seen together.
Result<FileTree> TreeOf(const Chain& chain);

struct AsideCopy {
  CopyPlan plan;
  std::string digest;  // of all that it is: CopyDigest
};
// All that is in a directory of the tree, which outlives the plan.
Result<AsideCopy> PlanAside(FileTree& tree, std::string_view directory);
Result<void> CopyAside(AsideCopy& copy, const templates::NewLayer& layer);

}  // namespace cay::build
