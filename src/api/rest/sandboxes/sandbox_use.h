// What a running sandbox uses, now.
#pragma once

#include <string_view>

#include "base/result.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/rules/health.h"

namespace cay::api::rest {

struct Use {
  engine::Stats stats;
  sandbox::Health health;
};

// Looks twice, and waits a tenth of a second between; this does not count as activity of the
// sandbox. `guest`: what its guest says, where that was asked. kIllegalState unless it runs or is
// paused.
Result<Use> LookAtUse(sandbox::Manager& manager, const sandbox::Caller& caller,
                      std::string_view which, std::optional<protocol::Info> guest = std::nullopt);

}  // namespace cay::api::rest
