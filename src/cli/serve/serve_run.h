// The life of a server process: made, announced, reloaded, drained.
#pragma once

#include "base/result.h"
#include "config/config.h"

namespace cay::cli {

// Returns when the server was asked to end and has drained. An error when it could not start.
Result<int> RunServer(const config::Sources& sources);

}  // namespace cay::cli
