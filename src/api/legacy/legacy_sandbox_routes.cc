// /sandbox/… and /sandboxes: the paths of two earlier systems (docs/migration.md). In one the
// server named a sandbox (create), in the other the client did (start); both names are good
// everywhere.
#include <chrono>

#include "api/json_response.h"
#include "api/legacy/legacy_environment.h"
#include "api/legacy/legacy_routes.h"
#include "api/legacy/legacy_spec.h"
#include "api/request.h"
#include "api/rest/processes/execute_routes.h"
#include "api/rest/sandboxes/environment_config.h"
#include "api/rest/sandboxes/sandbox_json.h"
#include "api/rest/sandboxes/sandbox_use.h"
#include "base/clock.h"
#include "json/field_writer.h"
#include "template/host/host_interpreter.h"
#include "template/store/template_store.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::SandboxSpec;
using sandbox::SandboxState;
using sandbox::SandboxView;

constexpr size_t kMaxListed = 1000;
// SandboxSpec::face of what /sandbox/create made, and /sandbox/{id}/start.
constexpr const char* kCreateFace = "create";
constexpr const char* kSessionFace = "session";

std::string_view LegacyStatus(SandboxState state) {
  return state == SandboxState::kRunning ? "ready" : sandbox::SandboxStateName(state);
}

int64_t UptimeSeconds(const SandboxView& view) {
  if (view.state != SandboxState::kRunning && view.state != SandboxState::kPaused) return 0;
  return std::max<int64_t>(0, (UnixMs() - view.started_unix_ms) / 1000);
}

// `environment`: as the client named it, where that is known; otherwise the template.
void WriteLegacyMembers(JsonWriter& json, const SandboxView& view) {
  const auto asked = view.spec.metadata.find("environment");
  const std::string& environment =
      asked == view.spec.metadata.end() ? view.spec.template_name : asked->second;
  json.Member("sandbox_id", view.id.text());
  json.Member("session_id", view.spec.name.empty() ? view.id.text() : view.spec.name);
  json.Member("status", LegacyStatus(view.state)).Member("reason", view.reason);
  json.Member("environment", environment).Member("template", view.spec.template_name);
  json.Member("project_id", view.spec.project);
  json.Member("uptime", UptimeSeconds(view)).Member("executions", view.executions);
  json.Member("running_processes", view.running);
  json.Member("memory_limit", FormatBytes(view.limits.memory));
  json.Member("cpu_limit", FormatCpus(view.limits.cpus));
  WriteSeconds(json.Key("timeout"), view.spec.timeout.value_or(Millis(0)));
  WriteTime(json.Key("created_at"), view.created_unix_ms);
  WriteTime(json.Key("last_activity_at"), view.last_activity_unix_ms);
  WriteTime(json.Key("expires_at"), view.expires_unix_ms);
}

void WriteLegacy(JsonWriter& json, const SandboxView& view) {
  json.BeginObject();
  WriteLegacyMembers(json, view);
  json.EndObject();
}

// What is used of what there is; nothing of it while nothing runs.
void WriteUse(JsonWriter& json, const SandboxView& view, const std::optional<Use>& use) {
  const sandbox::Health health = use ? use->health : sandbox::Health{};
  json.Key("cpu").BeginObject().Member("percent", health.cpu_percent);
  json.Member("limit", FormatCpus(view.limits.cpus)).EndObject();
  json.Key("memory").BeginObject().Member("percent", health.memory_percent);
  json.Member("bytes", use ? use->stats.memory : std::nullopt);
  json.Member("limit_bytes", view.limits.memory).EndObject();
  json.Member("health", use ? std::optional(health.Line()) : std::nullopt);
}

Result<void> RespondLegacy(Exchange& exchange, int status, const SandboxView& view) {
  JsonWriter json;
  WriteLegacy(json, view);
  return RespondJson(exchange, status, std::move(json));
}

// Puts the template in for the environment, and keeps what it was called.
Result<void> ResolveEnvironment(const Services& services, SandboxSpec& spec) {
  if (spec.template_name.empty()) return {};
  std::vector<std::string> names;
  for (const auto& info : TRY(services.templates.List())) names.push_back(info.name);
  std::string resolved = TRY(TemplateOfEnvironment(
      spec.template_name, names,
      [](const std::string& program) { return templates::HostInterpreterVersion(program); },
      services.templates.environments()));
  // Of an environment of a language its packages are that language's, whatever template it is.
  const std::string program = ProgramOfEnvironment(spec.template_name);
  if (program == "python3") spec.packages.usual = build::Manager::kPip;
  if (program == "node") spec.packages.usual = build::Manager::kNpm;
  if (resolved != spec.template_name) spec.metadata.emplace("environment", spec.template_name);
  spec.template_name = std::move(resolved);
  return {};
}

Result<void> Create(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  SandboxSpec spec = TRY(ReadLegacySpec(body));
  TRY(ResolveEnvironment(services, spec));
  spec.packages.patience = PatienceOf(exchange.request());
  spec.face = kCreateFace;
  return RespondLegacy(
      exchange, 201,
      TRY(services.manager.Create(caller, spec, IdempotencyOf(exchange.request(), body))));
}

// A session of that name, whatever it takes: made, started, resumed, or just there.
Result<SandboxView> StartSession(const Services& services, Exchange& exchange,
                                 const Caller& caller) {
  const std::string& session = exchange.request().Capture("id");
  const JsonValue body = TRY(ReadJsonBody(exchange));
  SandboxSpec spec = TRY(ReadLegacySpec(body));
  const auto there = services.manager.Get(caller, session);
  if (there) {
    if (there->state == SandboxState::kCreating) return there;
    if (there->state == SandboxState::kPaused) return services.manager.Resume(caller, session);
    return services.manager.Start(caller, session);
  }
  if (there.error().code() != ErrorCode::kNotFound) return there;
  TRY(ResolveEnvironment(services, spec));
  spec.packages.patience = PatienceOf(exchange.request());
  spec.name = session;
  spec.face = kSessionFace;
  if (spec.project.empty()) spec.project = session;
  return services.manager.Create(caller, spec);
}

Result<void> Start(const Services& services, Exchange& exchange, const Caller& caller) {
  return RespondLegacy(exchange, 200, TRY(StartSession(services, exchange, caller)));
}

Result<void> Stop(const Services& services, Exchange& exchange, const Caller& caller) {
  return RespondLegacy(exchange, 200,
                       TRY(services.manager.Stop(caller, exchange.request().Capture("id"))));
}

Result<void> Reset(const Services& services, Exchange& exchange, const Caller& caller) {
  return RespondLegacy(exchange, 200,
                       TRY(services.manager.Reset(caller, exchange.request().Capture("id"))));
}

Result<void> Status(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  std::optional<Use> use;
  if (view.state == SandboxState::kRunning || view.state == SandboxState::kPaused) {
    auto looked = LookAtUse(services.manager, caller, view.id.text());
    // It may have ended meanwhile: then it uses nothing.
    if (looked) use = *std::move(looked);
  }
  JsonWriter json;
  json.BeginObject();
  WriteLegacyMembers(json, view);
  WriteUse(json, view, use);
  json.EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

Result<void> Execute(const Services& services, Exchange& exchange, const Caller& caller) {
  ExecuteRequest request = TRY(TakeExecuteRequest(exchange));
  request.below_workdir = true;
  return AnswerExecute(services, exchange, caller, exchange.request().Capture("id"),
                       std::move(request));
}

Result<void> Destroy(const Services& services, Exchange& exchange, const Caller& caller) {
  const auto view = TRY(services.manager.Get(caller, exchange.request().Capture("id")));
  TRY(services.manager.Destroy(caller, view.id.text(), "requested"));
  JsonWriter json;
  json.BeginObject().Member("sandbox_id", view.id.text()).Member("status", "destroyed");
  json.EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  sandbox::ListFilter filter;
  filter.limit = kMaxListed;
  // Its clients destroy all that is listed here: nothing of another face, and nothing of another
  // owner.
  filter.face = kCreateFace;
  filter.owner = caller.owner;
  filter.cursor = exchange.request().Query("cursor").value_or("");
  JsonResponse answer(exchange, 200);
  JsonWriter& json = answer.json();
  json.BeginObject().Key("sandboxes").BeginArray();
  const auto next = TRY(WritePage(json, services.manager, caller, std::move(filter), &WriteLegacy));
  json.EndArray();
  if (!next.empty()) json.Member("next_cursor", next);
  json.EndObject();
  return answer.Finish();
}

}  // namespace

void AddLegacySandboxRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("POST", "/sandbox/create", Scope::kUse, "legacyCreate", &Create);
  add("POST", "/sandbox/{id}/start", Scope::kUse, "legacyStart", &Start);
  add("POST", "/sandbox/{id}/stop", Scope::kUse, "legacyStop", &Stop);
  add("POST", "/sandbox/{id}/reset", Scope::kUse, "legacyReset", &Reset);
  add("POST", "/sandbox/{id}/execute", Scope::kUse, "legacyExecute", &Execute);
  add("GET", "/sandbox/{id}/status", Scope::kRead, "legacyStatus", &Status);
  add("DELETE", "/sandbox/{id}", Scope::kUse, "legacyDestroy", &Destroy);
  add("GET", "/sandboxes", Scope::kRead, "legacyList", &List);
}

}  // namespace cay::api::rest
