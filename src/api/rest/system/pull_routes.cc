// Pulls: images of registries on their way to being templates.
#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/system/follow_progress.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/templates/pull_fields.h"
#include "sandbox/templates/pull_keeper.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::PullView;

Result<void> Start(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const auto spec = TRY((ReadObject<fields::PullSpec, sandbox::PullSpec>(body)));
  const PullView pull = TRY(services.pulls.Start(caller, spec));
  return RespondJson(exchange, 202, ObjectJson<fields::Pull>(pull),
                     {{"Location", "/api/pulls/" + pull.id}});
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  JsonResponse answer(exchange, 200);
  WriteObject<fields::PullList>(answer.json(), services.pulls.List(caller));
  return answer.Finish();
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const PullView pull = TRY(services.pulls.Get(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 200, ObjectJson<fields::Pull>(pull));
}

Result<void> Cancel(const Services& services, Exchange& exchange, const Caller& caller) {
  const PullView pull = TRY(services.pulls.Cancel(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 202, ObjectJson<fields::Pull>(pull));
}

Result<void> Follow(const Services& services, Exchange& exchange, const Caller& caller) {
  return FollowProgress<fields::Pull>(services.pulls, exchange, caller);
}

}  // namespace

void AddPullRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string one = "/api/pulls/{id}";
  add("GET", "/api/pulls", Scope::kRead, "listPulls", &List);
  add("POST", "/api/pulls", Scope::kAdmin, "startPull", &Start, {kMaxSmallBody});
  add("GET", one, Scope::kRead, "getPull", &Get);
  add("GET", one + "/events", Scope::kRead, "followPull", &Follow);
  add("DELETE", one, Scope::kAdmin, "cancelPull", &Cancel);
}

}  // namespace cay::api::rest
