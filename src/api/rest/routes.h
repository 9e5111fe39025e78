// Cay's own REST face: thin translations from JSON to what sandbox/ does, and back. docs/api.md and
// openapi.json say what clients see.
#pragma once

#include <vector>

#include "api/route_adder.h"

namespace cay::api::rest {

// Every route of this face. `services` is copied; what it refers to outlives the routes.
std::vector<Route> RestRoutes(const Services& services);

// The groups it is made of, each in a file of its own.
void AddSandboxRoutes(const Services& services, Routes& routes);    // sandbox_routes.cc
void AddNetworkRoutes(const Services& services, Routes& routes);    // network_routes.cc
void AddFlowRoutes(const Services& services, Routes& routes);       // flow_routes.cc
void AddLifecycleRoutes(const Services& services, Routes& routes);  // lifecycle_routes.cc
void AddExecuteRoutes(const Services& services, Routes& routes);    // execute_routes.cc
void AddProcessRoutes(const Services& services, Routes& routes);    // process_routes.cc
void AddTerminalRoutes(const Services& services, Routes& routes);   // terminal_route.cc
void AddFileRoutes(const Services& services, Routes& routes);       // file_routes.cc
void AddContentRoutes(const Services& services, Routes& routes);    // content_routes.cc
void AddWatchRoutes(const Services& services, Routes& routes);      // watch_route.cc
void AddArchiveRoutes(const Services& services, Routes& routes);    // archive_routes.cc
void AddPortRoutes(const Services& services, Routes& routes);       // port_routes.cc
void AddEventRoutes(const Services& services, Routes& routes);      // event_routes.cc
void AddTemplateRoutes(const Services& services, Routes& routes);   // template_routes.cc
void AddUsageRoutes(const Services& services, Routes& routes);      // usage_routes.cc
void AddExportRoutes(const Services& services, Routes& routes);     // export_routes.cc
void AddSnapshotRoutes(const Services& services, Routes& routes);   // snapshot_routes.cc
void AddVolumeRoutes(const Services& services, Routes& routes);     // volume_routes.cc
void AddPullRoutes(const Services& services, Routes& routes);       // pull_routes.cc
void AddPushRoutes(const Services& services, Routes& routes);       // push_routes.cc
void AddBuildRoutes(const Services& services, Routes& routes);      // build_routes.cc
void AddSecretRoutes(const Services& services, Routes& routes);     // secret_routes.cc
void AddOrphanRoutes(const Services& services, Routes& routes);     // orphan_routes.cc
void AddSpaceRoutes(const Services& services, Routes& routes);      // space_routes.cc
void AddSystemRoutes(const Services& services, Routes& routes);     // system_routes.cc

}  // namespace cay::api::rest
