// A build on a server: the context is sent, what is told of the build is shown as that of one on
// this machine, and a signal cancels it.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/builds/build_options.h"
#include "cli/client/api_client.h"

namespace cay::cli {

// The exit code, as of a build on this machine.
Result<int> BuildOnServer(ApiClient& api, BuildOptions& options, const std::string& typed);

}  // namespace cay::cli
