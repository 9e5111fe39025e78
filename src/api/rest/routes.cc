#include "api/rest/routes.h"

namespace cay::api::rest {

std::vector<Route> RestRoutes(const Services& services) {
  Routes routes;
  AddSandboxRoutes(services, routes);
  AddNetworkRoutes(services, routes);
  AddFlowRoutes(services, routes);
  AddLifecycleRoutes(services, routes);
  AddExecuteRoutes(services, routes);
  AddProcessRoutes(services, routes);
  AddTerminalRoutes(services, routes);
  AddContentRoutes(services, routes);
  AddFileRoutes(services, routes);
  AddWatchRoutes(services, routes);
  AddArchiveRoutes(services, routes);
  AddPortRoutes(services, routes);
  AddEventRoutes(services, routes);
  AddTemplateRoutes(services, routes);
  AddUsageRoutes(services, routes);
  AddExportRoutes(services, routes);
  AddSnapshotRoutes(services, routes);
  AddVolumeRoutes(services, routes);
  AddPullRoutes(services, routes);
  AddPushRoutes(services, routes);
  AddBuildRoutes(services, routes);
  AddSecretRoutes(services, routes);
  AddOrphanRoutes(services, routes);
  AddSpaceRoutes(services, routes);
  AddSystemRoutes(services, routes);
  return routes;
}

}  // namespace cay::api::rest
