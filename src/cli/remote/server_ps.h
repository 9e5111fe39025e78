// cay ps SANDBOX: the processes of a sandbox of the server's (process_commands.cc), for cay ps,
// which without an argument lists what is on this machine (ps_command.cc).
#pragma once

#include "cli/client/call.h"

namespace cay::cli {

struct PsOptions : ServerOptions {
  std::string state_dir;
};

Result<int> ServerPsMain(ApiClient& api, PsOptions& options, Positionals& rest);

}  // namespace cay::cli
