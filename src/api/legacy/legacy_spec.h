// What earlier systems sent to make a sandbox, as ReadSandboxSpec has it:
//
//   {"project_id": "demo", "environment_type": "python3.11", "environment_config": {"packages": [], "env_vars": {"DEBUG": "1"}}}
#pragma once

#include "base/result.h"
#include "json/json_value.h"
#include "sandbox/types.h"

namespace cay::api::rest {

// `project_id` is project_name, `environment_type` is environment, and the variables are env's.
// kInvalidArgument when two names of one field have different values; kNotSupported for packages,
// which cannot be fetched without a network.
Result<sandbox::SandboxSpec> ReadLegacySpec(const JsonValue& body);

}  // namespace cay::api::rest
