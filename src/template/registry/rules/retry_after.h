// RetryAfter: when a server wants to be asked again (RFC 9110, 10.2.3). Pure but for the clock.
#pragma once

#include <optional>

#include "base/units.h"
#include "http/message.h"

namespace cay::templates::registry {

// Nothing: it does not say, or what it says is no number of seconds and no date. A time that has
// passed is 0, one that is far away 100 years at most.
std::optional<Millis> RetryAfter(const http::Headers& headers);

}  // namespace cay::templates::registry
