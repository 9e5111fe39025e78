#include "api/legacy/legacy_routes.h"

namespace cay::api::rest {

std::vector<Route> LegacyRoutes(const Services& services) {
  Routes routes;
  AddLegacySandboxRoutes(services, routes);
  AddLegacyFileRoutes(services, routes);
  return routes;
}

}  // namespace cay::api::rest
