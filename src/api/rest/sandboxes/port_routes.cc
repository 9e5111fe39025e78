// Ports of sandboxes: HTTP and WebSockets to whatever listens inside. By path
// (/api/sandboxes/{id}/ports/{port}/…), and by the host name {port}-{id}.DOMAIN: then the
// dispatcher captures `id` and `port` from the name, and the whole path is the application's own.
// By path an answer is confined (port_isolation.h).

#include <algorithm>

#include "api/problem.h"
#include "api/rest/routes.h"
#include "api/rest/sandboxes/port_isolation.h"
#include "base/text.h"
#include "http/client/proxy.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;

constexpr int kMethodNotAllowed = 405;
constexpr int kBadGateway = 502;

Result<uint16_t> ParsePort(std::string_view text) {
  const auto port = ParseUnsigned(text, UINT16_MAX);
  if (!port || *port == 0) {
    return Failure(Error::Invalid("not a port: \"" + std::string(text) + "\"")
                       .WithRemedy("write a number from 1 to 65535"));
  }
  return static_cast<uint16_t>(*port);
}

// What the app inside must not see: the caller's key to this server.
std::vector<std::string> KeyFields(const http::Request& request) {
  std::vector<std::string> fields = {"X-API-Key"};
  const std::string authorization = Lower(request.headers.Find("Authorization").value_or(""));
  if (authorization.starts_with("bearer cay_")) fields.emplace_back("Authorization");
  return fields;
}

// It would show the key, which a page must not see (RFC 9110, 9.3.8), and means nothing to an
// application.
Result<void> RefuseTrace(Exchange& exchange) {
  http::Response response =
      ProblemResponse(Error::Invalid("the method TRACE is not passed on"),
                      {.request_id = exchange.request().id, .status = kMethodNotAllowed});
  response.headers.Add("Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  return exchange.Respond(std::move(response));
}

Result<void> BadGateway(Exchange& exchange, const Error& error) {
  return exchange.Respond(
      ProblemResponse(error, {.request_id = exchange.request().id, .status = kBadGateway}));
}

Result<void> Forward(const Services& services, Exchange& exchange, const Caller& caller,
                     const std::string& which, uint16_t port, http::ProxyOptions options) {
  const auto lease = services.manager.Use(caller, which);
  if (!lease) return BadGateway(exchange, lease.error());
  auto upstream = lease->guest().ConnectPort(port);
  if (!upstream) {
    return BadGateway(exchange, Error(upstream.error().code(), upstream.error().fault(),
                                      "the sandbox is there, but nothing answers at its port " +
                                          std::to_string(port) + ": " + upstream.error().message())
                                    .WithRemedy("start a server there that listens on 127.0.0.1"));
  }
  for (std::string& name : KeyFields(exchange.request())) options.drop.push_back(std::move(name));
  return http::Proxy(exchange, *std::move(upstream), options);
}

// Whether the name that the request came under says which port it is for.
bool IsByHost(const http::Request& request) {
  const std::string host = Lower(request.headers.Find("Host").value_or(""));
  return host.starts_with(request.Capture("port") + "-" + Lower(request.Capture("id")) + ".");
}

http::ProxyOptions OptionsByHost(const http::Request& request) {
  http::ProxyOptions options;
  options.target = request.target;
  options.host = request.headers.Find("Host").value_or("");
  return options;
}

// The prefix and the rest as they were sent: what stands behind {port} is not decoded.
http::ProxyOptions OptionsByPath(const http::Request& request, uint16_t port) {
  const std::string& path = request.path;
  size_t at = 0;
  constexpr int kSlashes = 5;  // /api/sandboxes/{id}/ports/
  for (int i = 0; i < kSlashes; ++i) at = path.find('/', at) + 1;
  const size_t end = std::min(path.find('/', at), path.size());
  http::ProxyOptions options;
  options.prefix = path.substr(0, end);
  options.target = end < path.size() ? path.substr(end) : "/";
  const size_t query = request.target.find('?');
  if (query != std::string::npos) options.target += request.target.substr(query);
  options.host = "localhost:" + std::to_string(port);
  options.drop = {std::string(kOwnOriginField)};
  if (request.headers.Find(kOwnOriginField)) return options;
  // What a browser holds for this server is not the application's.
  options.drop.emplace_back("Cookie");
  options.amend_answer = &ConfineToNoOrigin;
  return options;
}

Result<void> ToPort(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  if (request.method == "TRACE") return RefuseTrace(exchange);
  const uint16_t port = TRY(ParsePort(request.Capture("port")));
  const std::string& which = request.Capture("id");
  if (IsByHost(request)) {
    return Forward(services, exchange, caller, which, port, OptionsByHost(request));
  }
  if (AsksForServiceWorker(request) && !request.headers.Find(kOwnOriginField)) {
    return Failure(Error(ErrorCode::kPermissionDenied, Fault::kCaller,
                         "a sandbox cannot have a service worker in the API's origin")
                       .WithRemedy("open it as {port}-{id}.localhost, or through " +
                                   Remedy(Action::kForwardPort)));
  }
  return Forward(services, exchange, caller, which, port, OptionsByPath(request, port));
}

}  // namespace

void AddPortRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string port = "/api/sandboxes/{id}/ports/{port}";
  add("*", port, Scope::kUse, "proxyPort", &ToPort, kAsItComes);
  add("*", port + "/{rest...}", Scope::kUse, "proxyPortPath", &ToPort, kAsItComes);
}

}  // namespace cay::api::rest
