// The paths of earlier systems (docs/migration.md), as thin as Cay's own (rest/routes.h).
#pragma once

#include <vector>

#include "api/route_adder.h"

namespace cay::api::rest {

// Every route of this face. `services` is copied; what it refers to outlives the routes.
std::vector<Route> LegacyRoutes(const Services& services);

// The groups it is made of, each in a file of its own.
void AddLegacySandboxRoutes(const Services& services, Routes& routes);  // legacy_sandbox_routes.cc
void AddLegacyFileRoutes(const Services& services, Routes& routes);     // legacy_file_routes.cc

}  // namespace cay::api::rest
