// What moves a sandbox from one state to another.
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/sandboxes/sandbox_json.h"
#include "json/json_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::Manager;
using sandbox::SandboxView;
using Action = Result<SandboxView> (Manager::*)(const Caller&, std::string_view);

Result<void> Act(Manager& manager, Action action, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  TRY(TRY(JsonFields::Of(body)).Finish());
  const auto view = TRY((manager.*action)(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 200, SandboxJson(view));
}

Result<void> Extend(Manager& manager, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto fields = TRY(JsonFields::Of(body));
  const auto by = TRY(fields.Duration("by"));
  TRY(fields.Finish());
  if (!by) return Failure(Error::Invalid("\"by\" is missing").WithRemedy(R"({"by": "10m"})"));
  const auto view = TRY(manager.Extend(caller, exchange.request().Capture("id"), *by));
  return RespondJson(exchange, 200, SandboxJson(view));
}

}  // namespace

void AddLifecycleRoutes(const Services& services, Routes& routes) {
  Manager& manager = services.manager;
  const auto add = [&](const std::string& verb, const std::string& name, Action action) {
    routes.push_back({"POST", "/api/sandboxes/{id}/" + verb, Scope::kUse, name,
                      [&manager, action](Exchange& exchange, const Caller& caller) {
                        return Act(manager, action, exchange, caller);
                      }});
  };
  add("start", "startSandbox", &Manager::Start);
  add("stop", "stopSandbox", &Manager::Stop);
  add("pause", "pauseSandbox", &Manager::Pause);
  add("resume", "resumeSandbox", &Manager::Resume);
  add("reset", "resetSandbox", &Manager::Reset);
  routes.push_back({"POST", "/api/sandboxes/{id}/extend", Scope::kUse, "extendSandbox",
                    [&manager](Exchange& exchange, const Caller& caller) {
                      return Extend(manager, exchange, caller);
                    }});
}

}  // namespace cay::api::rest
