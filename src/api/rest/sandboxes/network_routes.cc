// The network of a sandbox: what holds of it, and what it would make of a connection.
#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "guest_link/request_limits.h"
#include "json/field_writer.h"
#include "sandbox/network/network_fields.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::Manager;

constexpr uint64_t kDefaultPort = 443;

Result<void> GetNetwork(Manager& manager, Exchange& exchange, const Caller& caller) {
  const auto report = TRY(manager.GetNetwork(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 200, ObjectJson<fields::NetworkReport>(report));
}

Result<void> CheckNetwork(Manager& manager, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const std::string host(request.Query("host").value_or(""));
  TRY(CheckLength("the host", host, network::Flow::kMaxName));
  if (host.empty()) {
    return Failure(Error::Invalid("the parameter \"host\" must be a name or an address")
                       .WithRemedy("as in ?host=example.com&port=443"));
  }
  const uint64_t port = TRY(QueryNumber(request, "port", UINT16_MAX)).value_or(kDefaultPort);
  if (port == 0) return Failure(Error::Invalid("the parameter \"port\" must be at least 1"));
  const auto check =
      TRY(manager.CheckNetwork(caller, request.Capture("id"), host, static_cast<uint16_t>(port)));
  return RespondJson(exchange, 200, ObjectJson<fields::NetworkCheck>(check));
}

}  // namespace

void AddNetworkRoutes(const Services& services, Routes& routes) {
  Manager& manager = services.manager;
  const auto bind = [&](auto* operation) {
    return [&manager, operation](Exchange& exchange, const Caller& caller) {
      return operation(manager, exchange, caller);
    };
  };
  const std::string one = "/api/sandboxes/{id}";
  routes.push_back({"GET", one + "/network", Scope::kRead, "getSandboxNetwork", bind(&GetNetwork)});
  routes.push_back(
      {"GET", one + "/network/check", Scope::kRead, "checkSandboxNetwork", bind(&CheckNetwork)});
}

}  // namespace cay::api::rest
