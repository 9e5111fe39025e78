// What the server is and offers: version, limits, pools, what it took over; and its own
// description.
#include <chrono>

#include "api/openapi/openapi.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "base/clock.h"
#include "json/field_writer.h"
#include "sandbox/figure_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
namespace fields = sandbox::fields;
using fields::LimitsInForce;
using sandbox::Caller;
using sandbox::ManagerMetrics;
using sandbox::ManagerOptions;
using sandbox::SandboxState;

int64_t UptimeSeconds(const ServerFacts& facts) {
  return std::max<int64_t>(0, (UnixMs() - facts.started_unix_ms) / 1000);
}

// Those in force: of what a reload changes the manager knows.
void WriteConfiguredLimits(JsonWriter& json, const ServerFacts& facts,
                           const ManagerOptions& options) {
  json.Key("limits").BeginObject();
  json.Key("defaults").BeginObject();
  WriteObject<fields::Limits>(json.Key("sandbox"),
                              LimitsInForce{options.default_limits, options.default_cpu_time});
  WriteSeconds(json.Key("timeout"), options.default_timeout);
  WriteSeconds(json.Key("idle_timeout"), options.default_idle_timeout);
  json.Member("on_timeout", sandbox::OnTimeoutName(options.default_on_timeout));
  WriteSeconds(json.Key("command_timeout"), facts.processes.default_timeout);
  json.Member("output_held", facts.processes.output_held).EndObject();
  json.Key("maxima").BeginObject();
  WriteObject<fields::Limits>(json.Key("sandbox"),
                              LimitsInForce{options.max_limits, options.max_cpu_time});
  WriteSeconds(json.Key("timeout"), options.max_timeout);
  WriteSeconds(json.Key("idle_timeout"), options.max_idle_timeout);
  WriteSeconds(json.Key("command_timeout"), facts.processes.max_timeout);
  json.Member("output_held", facts.processes.max_output_held);
  json.Member("sandboxes", options.max_sandboxes);
  json.Member("sandboxes_per_owner", options.max_sandboxes_per_owner);
  json.Member("memory", options.max_memory).EndObject().EndObject();
}

void WriteStates(JsonWriter& json, const ManagerMetrics& metrics) {
  json.Key("sandboxes").BeginObject();
  for (size_t i = 0; i < metrics.by_state.size(); ++i) {
    json.Member(sandbox::SandboxStateName(static_cast<SandboxState>(i)), metrics.by_state[i]);
  }
  json.EndObject();
}

void WriteReconciled(JsonWriter& json, const sandbox::ReconcileReport& report) {
  json.Key("reconciled").BeginObject().Member("adopted", report.adopted);
  json.Member("removed", report.removed).Key("lost").BeginArray();
  for (const auto& [id, why] : report.lost) {
    json.BeginObject().Member("id", id).Member("why", why).EndObject();
  }
  json.EndArray().EndObject();
}

Result<void> System(const Services& services, Exchange& exchange, const Caller& caller) {
  const ServerFacts& facts = services.facts;
  const ManagerMetrics metrics = services.manager.Metrics();
  JsonWriter json;
  json.BeginObject().Member("version", facts.version);
  if (caller.admin) json.Member("state_dir", facts.state_dir);
  json.Member("uptime", UptimeSeconds(facts)).Member("engine", facts.engine);
  json.Key("enforced");
  if (facts.enforced_json.empty()) {
    json.Null();
  } else {
    json.Raw(facts.enforced_json);
  }
  WriteConfiguredLimits(json, facts, *services.manager.options());
  WriteStates(json, metrics);
  FieldWriter writer(json);
  writer(field::About{"pools"}, field::Objects<fields::Pool>{}, metrics.pools);
  // Ids of others' sandboxes are in it.
  if (caller.admin) WriteReconciled(json, services.manager.reconciled());
  json.EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

}  // namespace

void AddSystemRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/system", Scope::kRead, "getSystem", &System);
  routes.push_back({"GET", "/openapi.json", Scope::kPublic, "getOpenApi",
                    [](Exchange& exchange, const Caller& /*caller*/) {
                      return exchange.Respond({.status = 200,
                                               .headers = {{"Content-Type", "application/json"}},
                                               .body = std::string(OpenApiDocument())});
                    }});
}

}  // namespace cay::api::rest
