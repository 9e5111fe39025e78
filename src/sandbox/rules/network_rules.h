// Network rules: what may be asked for of a network, and what is filled in. Pure. Nothing is
// clamped: what is over a maximum is an error that names the maximum and its key.
#pragma once

#include <string>

#include "base/result.h"
#include "sandbox/options.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// What it reaches may be, by its own rules and by the administrator's bounds and maxima.
Result<void> CheckNetwork(const NetworkSpec& spec, const NetworkOptions& options);

// Where nothing was asked for it is what the template's sandboxes have. What was asked for replaces
// all of that; limits that were left out are the server's.
Result<NetworkSpec> ResolveNetwork(const NetworkSpec& asked, const std::string& template_name,
                                   const NetworkOptions& options);

}  // namespace cay::sandbox
