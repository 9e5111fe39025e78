// Orphans: sandboxes that the database does not know any more, and whose they are from now on.
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/sandboxes/sandbox_json.h"
#include "json/field_writer.h"
#include "json/json_fields.h"
#include "sandbox/fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;

constexpr size_t kMaxOwnerBytes = 128;

Result<void> List(const Services& services, Exchange& exchange) {
  const auto orphans = TRY(services.manager.Orphans());
  return RespondJson(exchange, 200, ObjectJson<sandbox::fields::OrphanList>(orphans));
}

Result<void> Adopt(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto fields = TRY(JsonFields::Of(body));
  sandbox::Adoption adoption;
  adoption.owner = TRY(fields.String("owner", kMaxOwnerBytes));
  adoption.name = TRY(fields.String("name"));
  TRY(fields.Finish());
  const auto view = TRY(services.manager.Adopt(caller, exchange.request().Capture("id"), adoption));
  return RespondJson(exchange, 200, SandboxJson(view));
}

}  // namespace

void AddOrphanRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/orphans", Scope::kAdmin, "listOrphans", &List);
  add("POST", "/api/orphans/{id}/adopt", Scope::kAdmin, "adoptOrphan", &Adopt);
}

}  // namespace cay::api::rest
