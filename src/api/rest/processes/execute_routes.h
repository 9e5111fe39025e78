// How an execute is answered, the same under every path.
#pragma once

#include "api/rest/processes/execute_request.h"
#include "api/route.h"

namespace cay::api::rest {

// JSON, or events when the client accepts those. `which`: the sandbox.
Result<void> AnswerExecute(const Services& services, http::Exchange& exchange,
                           const sandbox::Caller& caller, const std::string& which,
                           ExecuteRequest request);

}  // namespace cay::api::rest
