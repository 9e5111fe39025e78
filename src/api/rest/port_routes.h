// Ports of sandboxes: what a request for one goes on to, whether its path or its host name says which.
#pragma once

#include <string>

#include "api/route.h"
#include "base/result.h"

namespace cay::api::rest {

// Hands the whole request, as it stands, on to a port inside, and the answer back. For a request that came under a
// host name of that port ({port}-{id}.localhost). 502 says whether the sandbox or the port is missing.
Result<void> ProxyToPort(const Services& services, http::Exchange& exchange,
                         const sandbox::Caller& caller, const std::string& which, uint16_t port);

}  // namespace cay::api::rest
