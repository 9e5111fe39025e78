// Sandboxes: create, list, look at, change, destroy; figures and health.
#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "api/rest/sandboxes/environment_config.h"
#include "api/rest/sandboxes/sandbox_json.h"
#include "api/rest/sandboxes/sandbox_use.h"
#include "json/field_writer.h"
#include "sandbox/figure_fields.h"
#include "sandbox/rules/health_fields.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::Manager;

constexpr size_t kDefaultPage = 100;
constexpr size_t kMaxPage = 1000;
// "metadata.KEY", as people write it, and "metadata[KEY]", as programs that were made from the
// description do (OpenAPI: deepObject). Nothing for another parameter.
std::optional<std::string> MetadataKey(std::string_view name) {
  constexpr std::string_view kMetadata = "metadata";
  if (!name.starts_with(kMetadata)) return std::nullopt;
  name.remove_prefix(kMetadata.size());
  if (name.starts_with('.')) return std::string(name.substr(1));
  if (!name.starts_with('[') || !name.ends_with(']')) return std::nullopt;
  return std::string(name.substr(1, name.size() - 2));
}

Result<void> Create(Manager& manager, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto spec = TRY(ReadSandboxSpec(body));
  spec.packages.patience = PatienceOf(exchange.request());
  const auto view = TRY(manager.Create(caller, spec, IdempotencyOf(exchange.request(), body)));
  return RespondJson(exchange, 201, SandboxJson(view),
                     {{"Location", "/api/sandboxes/" + view.id.text()}});
}

Result<sandbox::ListFilter> ReadFilter(const http::Request& request, const Caller& caller) {
  sandbox::ListFilter filter;
  filter.owner = TRY(QueryOwner(request, caller));
  for (const auto& [name, value] : request.query) {
    if (name == "state") {
      filter.state = sandbox::SandboxStateFromName(value);
      if (!filter.state) {
        return Failure(
            Error::Invalid("the parameter \"state\" must be the state of a sandbox, not \"" +
                           value + "\"")
                .WithRemedy("write creating, running, paused, stopped or failed"));
      }
    } else if (name == "project_name") {
      filter.project = value;
    } else if (name == "template" || name == "environment") {
      filter.template_name = value;
    } else if (const auto key = MetadataKey(name)) {
      filter.metadata[*key] = value;
    } else if (name == "cursor") {
      filter.cursor = value;
    } else if (name != "limit" && name != "owner") {
      return Failure(Error::Invalid("unknown parameter \"" + name + "\"")
                         .WithRemedy("known here: state, project_name, template, metadata.KEY, "
                                     "owner, limit, cursor"));
    }
  }
  filter.limit = TRY(QueryNumber(request, "limit", kMaxPage)).value_or(kDefaultPage);
  if (filter.limit == 0)
    return Failure(Error::Invalid("the parameter \"limit\" must be at least 1"));
  return filter;
}

Result<void> List(Manager& manager, Exchange& exchange, const Caller& caller) {
  auto filter = TRY(ReadFilter(exchange.request(), caller));
  JsonResponse answer(exchange, 200);
  JsonWriter& json = answer.json();
  json.BeginObject().Key("sandboxes").BeginArray();
  const auto next = TRY(WritePage(json, manager, caller, std::move(filter), &WriteSandbox));
  json.EndArray().Key("next_cursor");
  if (next.empty()) {
    json.Null();
  } else {
    json.Value(next);
  }
  json.EndObject();
  return answer.Finish();
}

Result<void> Get(Manager& manager, Exchange& exchange, const Caller& caller) {
  const auto view = TRY(manager.Get(caller, exchange.request().Capture("id")));
  return RespondJson(exchange, 200, SandboxJson(view));
}

Result<void> Change(Manager& manager, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  const auto change = TRY(ReadSandboxChange(body));
  const auto view = TRY(manager.Update(caller, exchange.request().Capture("id"), change));
  return RespondJson(exchange, 200, SandboxJson(view));
}

Result<void> Destroy(Manager& manager, Exchange& exchange, const Caller& caller) {
  TRY(manager.Destroy(caller, exchange.request().Capture("id"), "requested"));
  return RespondNothing(exchange);
}

Result<void> Stats(Manager& manager, Exchange& exchange, const Caller& caller) {
  const std::string& which = exchange.request().Capture("id");
  const auto view = TRY(manager.Get(caller, which));
  const engine::Stats stats = TRY(manager.GetStats(caller, which));
  return RespondJson(exchange, 200, ObjectJson<fields::Stats>(fields::UsedOf{stats, view.limits}));
}

// Asks the guest itself: what answers is alive.
Result<void> Health(Manager& manager, Exchange& exchange, const Caller& caller) {
  const std::string& which = exchange.request().Capture("id");
  const auto lease = TRY(manager.Use(caller, which));
  const auto info = lease.guest().Ping();
  if (!info) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the sandbox does not answer: " + info.error().message())
                       .WithRemedy("stop and start it, or destroy it"));
  }
  const auto used = TRY(LookAtUse(manager, caller, which, *info));
  const sandbox::HealthReport report{
      .health = used.health, .state = lease.view().state, .guest = *info, .used = used.stats};
  return RespondJson(exchange, 200, ObjectJson<fields::SandboxHealth>(report));
}

}  // namespace

void AddSandboxRoutes(const Services& services, Routes& routes) {
  Manager& manager = services.manager;
  const auto bind = [&](auto* operation) {
    return [&manager, operation](Exchange& exchange, const Caller& caller) {
      return operation(manager, exchange, caller);
    };
  };
  routes.push_back({"POST", "/api/sandboxes", Scope::kUse, "createSandbox", bind(&Create)});
  routes.push_back({"GET", "/api/sandboxes", Scope::kRead, "listSandboxes", bind(&List)});
  const std::string one = "/api/sandboxes/{id}";
  routes.push_back({"GET", one, Scope::kRead, "getSandbox", bind(&Get)});
  routes.push_back({"PATCH", one, Scope::kUse, "updateSandbox", bind(&Change)});
  routes.push_back({"DELETE", one, Scope::kUse, "destroySandbox", bind(&Destroy)});
  routes.push_back({"GET", one + "/stats", Scope::kRead, "getSandboxStats", bind(&Stats)});
  routes.push_back({"GET", one + "/health", Scope::kRead, "getSandboxHealth", bind(&Health)});
}

}  // namespace cay::api::rest
