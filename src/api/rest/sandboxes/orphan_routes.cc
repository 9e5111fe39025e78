// Orphans: sandboxes that the database does not know any more, and whose they are from now on.
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/sandboxes/sandbox_json.h"
#include "base/os/log.h"
#include "json/json_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::Orphan;

constexpr size_t kMaxOwnerBytes = 128;

void WriteOrphan(JsonWriter& json, const Orphan& orphan) {
  json.BeginObject().Member("id", orphan.id.text());
  json.Member("orphaned_at", FormatTimestamp(orphan.since_unix_ms));
  json.Member("created_at", FormatTimestamp(orphan.created_unix_ms));
  json.Member("owner", orphan.owner).Member("name", orphan.name);
  json.Member("template", orphan.template_name);
  json.Member("state", engine::StateName(orphan.state));
  json.Member("damage", orphan.damage).EndObject();
}

Result<void> List(const Services& services, Exchange& exchange) {
  JsonWriter json;
  json.BeginObject().Key("orphans").BeginArray();
  for (const Orphan& orphan : TRY(services.manager.Orphans())) WriteOrphan(json, orphan);
  json.EndArray().EndObject();
  return RespondJson(exchange, 200, std::move(json));
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
