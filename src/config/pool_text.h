// A warm pool as one line: "host=2:10,memory=256m,cpus=0.5,shrink_after=2m".
#pragma once

#include <string_view>

#include "base/result.h"
#include "sandbox/options.h"

namespace cay::config {

// TEMPLATE=MIN[:MAX][,memory=SIZE][,cpus=N][,pids=N][,disk=SIZE][,shrink_after=TIME]. MAX is MIN
// when it is left out; limits are `defaults`.
Result<sandbox::PoolOptions> ParsePool(std::string_view text, const engine::Limits& defaults);

}  // namespace cay::config
