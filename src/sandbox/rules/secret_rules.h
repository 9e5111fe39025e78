// Rules of secrets: pure.
#pragma once

#include "base/result.h"
#include "network/link/secret.h"
#include "network/policy/policy.h"

namespace cay::sandbox {

// A secret opens nothing: that its hosts may be reached is the policy's to say. kInvalidArgument
// (EINVAL: it is well formed) for one that could never be sent.
Result<void> CheckReached(const network::Secret& secret, const network::Policy& policy);

}  // namespace cay::sandbox
