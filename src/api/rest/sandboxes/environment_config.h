// The member "environment_config" of a request for a sandbox: packages and variables.
//
//   {"packages": ["pandas==2.2.0", "apt:jq"], "requirements": "numpy\n", "env_vars": {"DEBUG": "1"}}
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/string_map.h"
#include "base/units.h"
#include "http/message.h"
#include "json/json_fields.h"
#include "sandbox/types.h"

namespace cay::api::rest {

// Into the packages and the variables of a spec; what is not there changes nothing. What a package
// may be is not looked at.
Result<void> ReadEnvironmentConfig(JsonFields& fields, std::string_view name,
                                   sandbox::PackagesSpec& packages, StringMap& variables);

// How long a create waits for its packages at the most: the preference "wait" of the request, in
// seconds (RFC 7240, section 4.3). Nothing where there is none that can be read.
std::optional<Millis> PatienceOf(const http::Request& request);

// `variables` come to `env`, and must not contradict what is there.
Result<void> MergeVariables(const StringMap& variables, StringMap& env);

}  // namespace cay::api::rest
