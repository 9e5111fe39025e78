// For tests whose state directory has no sandboxes.
#pragma once

#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace cay::templates {

inline Result<std::vector<engine::SandboxStatus>> NoSandboxes() {
  return std::vector<engine::SandboxStatus>();
}

}  // namespace cay::templates
