// Snapshots: what a sandbox wrote, as a template of its owner's.
#include <algorithm>

#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/sandboxes/sandbox_json.h"
#include "json/field_writer.h"
#include "json/json_fields.h"
#include "template/template_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using templates::TemplateInfo;

JsonWriter SnapshotJson(const TemplateInfo& info) {
  return ObjectJson<templates::fields::Template>(info);
}

Result<void> Take(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto fields = TRY(JsonFields::Of(body));
  sandbox::SnapshotRequest request;
  request.name = TRY(fields.RequiredString("name"));
  request.replace = TRY(fields.Bool("replace")).value_or(false);
  TRY(fields.Finish());
  const auto info =
      TRY(services.manager.TakeSnapshot(caller, exchange.request().Capture("id"), request));
  return RespondJson(exchange, 201, SnapshotJson(info),
                     {{"Location", "/api/snapshots/" + request.name}});
}

Result<void> Restore(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto fields = TRY(JsonFields::Of(body));
  const std::string name = TRY(fields.RequiredString("snapshot"));
  TRY(fields.Finish());
  const auto view = TRY(services.manager.Restore(caller, exchange.request().Capture("id"), name));
  return RespondJson(exchange, 200, SandboxJson(view));
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto all = TRY(services.manager.snapshots().List(caller));
  return RespondJson(exchange, 200, ObjectJson<templates::fields::TemplateList>(all));
}

Result<void> ListOfSandbox(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  std::vector<TemplateInfo> all = TRY(services.manager.snapshots().List(caller));
  std::erase_if(all, [&](const TemplateInfo& info) { return info.sandbox != view.id.text(); });
  return RespondJson(exchange, 200, ObjectJson<templates::fields::TemplateList>(all));
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto info =
      TRY(services.manager.snapshots().Get(caller, exchange.request().Capture("name")));
  return RespondJson(exchange, 200, SnapshotJson(info));
}

Result<void> Delete(const Services& services, Exchange& exchange, const Caller& caller) {
  TRY(services.manager.snapshots().Remove(caller, exchange.request().Capture("name")));
  return RespondNothing(exchange);
}

}  // namespace

void AddSnapshotRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("POST", "/api/sandboxes/{id}/snapshots", Scope::kUse, "takeSnapshot", &Take);
  add("GET", "/api/sandboxes/{id}/snapshots", Scope::kRead, "listSandboxSnapshots", &ListOfSandbox);
  add("POST", "/api/sandboxes/{id}/restore", Scope::kUse, "restoreSandbox", &Restore);
  add("GET", "/api/snapshots", Scope::kRead, "listSnapshots", &List);
  add("GET", "/api/snapshots/{name}", Scope::kRead, "getSnapshot", &Get);
  add("DELETE", "/api/snapshots/{name}", Scope::kUse, "removeSnapshot", &Delete);
}

}  // namespace cay::api::rest
