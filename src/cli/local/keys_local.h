// API keys without the server's API: written to the state directory's database by a user who may
// write there. Needed before a first start on an address other than loopback, and after the last
// key of scope admin was lost. A server that runs meanwhile knows of it from its next request on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/gate/key_table.h"
#include "base/result.h"

namespace cay::cli {

Result<api::NewKey> CreateKeyLocally(const std::string& state_dir, const api::KeySpec& spec);
Result<std::vector<api::ApiKey>> ListKeysLocally(const std::string& state_dir);
Result<void> RevokeKeyLocally(const std::string& state_dir, std::string_view id);

}  // namespace cay::cli
