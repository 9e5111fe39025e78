// Processes as JSON: what is asked for. What came of them is told by the lists of their fields
// (sandbox/processes/process_fields.h).
#pragma once

#include <string_view>

#include "base/result.h"
#include "json/json_fields.h"
#include "json/json_value.h"
#include "sandbox/processes/process_types.h"

namespace cay::api::rest {

// The body of a start.
Result<sandbox::ProcessSpec> ReadProcessSpec(const JsonValue& body);
// "SIGTERM", "TERM", "15" or 15.
Result<int> ReadSignal(JsonFields& fields, std::string_view name);
Result<int> ParseSignal(std::string_view text);

}  // namespace cay::api::rest
