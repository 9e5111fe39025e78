#include "api/rest/routes.h"

namespace cay::api::rest {

void RouteAdder::operator()(std::string method, std::string pattern, Scope scope, std::string name,
                            Handler handler, BodyUse body) const {
  routes_.push_back(
      {std::move(method), std::move(pattern), scope, std::move(name),
       [services = services_, handler](http::Exchange& exchange, const sandbox::Caller& caller) {
         return handler(*services, exchange, caller);
       },
       body});
}

void RouteAdder::operator()(std::string method, std::string pattern, Scope scope, std::string name,
                            AnybodysHandler handler, BodyUse body) const {
  routes_.push_back(
      {std::move(method), std::move(pattern), scope, std::move(name),
       [services = services_, handler](http::Exchange& exchange, const sandbox::Caller&) {
         return handler(*services, exchange);
       },
       body});
}

std::vector<Route> RestRoutes(const Services& services) {
  Routes routes;
  AddSandboxRoutes(services, routes);
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
  AddOrphanRoutes(services, routes);
  AddSystemRoutes(services, routes);
  AddLegacySandboxRoutes(services, routes);
  AddLegacyFileRoutes(services, routes);
  return routes;
}

}  // namespace cay::api::rest
