// The layer of the `host` template that Cay makes itself, and when it is made anew.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "template/store/layer_store.h"

namespace cay::templates {

// On disk: "layer ID\n" and the stamp of what it was made of (host/host_sources.h).
struct Skeleton {
  std::string layer;
  std::string stamp;
};

// As it was written last, whether or not its layer is there.
std::optional<Skeleton> ReadSkeleton(const LayerStore& layers);

// The current one; (re)built by one process while others that came at the same time wait.
Result<Skeleton> CurrentSkeleton(LayerStore& layers);

}  // namespace cay::templates
