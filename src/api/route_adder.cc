#include "api/route_adder.h"

namespace cay::api {

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

}  // namespace cay::api
