// Pushes: templates on their way to registries.
#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/system/follow_progress.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/lifecycle/snapshots.h"
#include "sandbox/templates/push_fields.h"
#include "sandbox/templates/push_keeper.h"
#include "template/store/template_store.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::PushView;

Result<void> Start(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const auto spec = TRY((ReadObject<fields::PushSpec, sandbox::PushSpec>(body)));
  const std::string name =
      TRY(TemplateNameFor(services.templates, caller, exchange.request().Capture("name")));
  const PushView push = TRY(services.pushes.Start(caller, name, spec));
  return RespondJson(exchange, 202, ObjectJson<fields::Push>(push),
                     {{"Location", "/api/pushes/" + push.id}});
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  JsonResponse answer(exchange, 200);
  WriteObject<fields::PushList>(answer.json(), services.pushes.List(caller));
  return answer.Finish();
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const PushView push = TRY(services.pushes.Get(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 200, ObjectJson<fields::Push>(push));
}

Result<void> Cancel(const Services& services, Exchange& exchange, const Caller& caller) {
  const PushView push = TRY(services.pushes.Cancel(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 202, ObjectJson<fields::Push>(push));
}

Result<void> Follow(const Services& services, Exchange& exchange, const Caller& caller) {
  return FollowProgress<fields::Push>(services.pushes, exchange, caller);
}

}  // namespace

void AddPushRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string one = "/api/pushes/{id}";
  add("POST", "/api/templates/{name}/push", Scope::kUse, "pushTemplate", &Start, {kMaxSmallBody});
  add("GET", "/api/pushes", Scope::kRead, "listPushes", &List);
  add("GET", one, Scope::kRead, "getPush", &Get);
  add("GET", one + "/events", Scope::kRead, "followPush", &Follow);
  add("DELETE", one, Scope::kUse, "cancelPush", &Cancel);
}

}  // namespace cay::api::rest
