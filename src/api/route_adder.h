// RouteAdder: how the groups of a face are listed.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/route.h"

namespace cay::api {

using Routes = std::vector<Route>;

// Adds the routes of one group, whose functions get the services as well.
//
//   const RouteAdder add(services, routes);
//   add("GET", "/api/templates", Scope::kRead, "listTemplates", &List);
class RouteAdder {
 public:
  using Handler = Result<void> (*)(const Services&, http::Exchange&, const sandbox::Caller&);
  using AnybodysHandler = Result<void> (*)(const Services&, http::Exchange&);  // whoever asks

  RouteAdder(const Services& services, Routes& routes)
      : services_(std::make_shared<const Services>(services)), routes_(routes) {}

  void operator()(std::string method, std::string pattern, Scope scope, std::string name,
                  Handler handler, BodyUse body = {}) const;
  void operator()(std::string method, std::string pattern, Scope scope, std::string name,
                  AnybodysHandler handler, BodyUse body = {}) const;

 private:
  std::shared_ptr<const Services> services_;
  Routes& routes_;
};

}  // namespace cay::api
