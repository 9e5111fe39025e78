#include "api/dispatch/server_routes.h"

#include <chrono>

#include "api/json_response.h"
#include "api/problem.h"
#include "api/request.h"
#include "base/clock.h"
#include "base/os/log.h"
#include "json/json_fields.h"

namespace cay::api {
namespace {

using sandbox::Caller;

constexpr uint64_t kMaxAuditRows = 1000;

void WriteTime(JsonWriter& json, std::string_view name, const std::optional<int64_t>& unix_ms) {
  json.Key(name);
  if (unix_ms) {
    json.Value(FormatTimestamp(*unix_ms));
  } else {
    json.Null();
  }
}

// Without a key: what a load balancer may know.
Result<void> Health(ServerState& state, http::Exchange& exchange) {
  const std::string_view status =
      state.draining ? "draining" : (state.store.Healthy() ? "ok" : "degraded");
  JsonWriter json;
  json.BeginObject().Member("status", status).Member("version", state.version).EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

// Whether to send requests here.
Result<void> Ready(ServerState& state, http::Exchange& exchange) {
  if (state.draining) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the server is shutting down"));
  }
  if (const auto healthy = state.store.Healthy(); !healthy) {
    const bool full = healthy.error().code() == ErrorCode::kResourceExhausted;
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         full ? "the server cannot write its database: its disk is full"
                              : "the server cannot write its database")
                       .WithRemedy(full ? "destroy sandboxes, which works, or free some space"
                                        : "look at the server's log, and at: cay doctor"));
  }
  if (const auto room = state.check_room(); !room) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "no sandbox can be made: the state directory's disk has no room for one")
                       .WithRemedy("destroy sandboxes, or free some space"));
  }
  JsonWriter json;
  json.BeginObject().Member("status", "ready").EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

Result<void> Metrics(ServerState& state, http::Exchange& exchange) {
  MetricsText text;
  state.write_metrics(text);
  return exchange.Respond(
      {.status = 200,
       .headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
       .body = text.text()});
}

Result<void> ListKeys(ServerState& state, http::Exchange& exchange) {
  JsonWriter json;
  json.BeginObject().Key("keys").BeginArray();
  for (const ApiKey& key : state.keys.List()) {
    json.BeginObject();
    WriteKeyMembers(json, key);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

Result<KeySpec> ReadKeySpec(const JsonValue& body) {
  JsonFields fields = TRY(JsonFields::Of(body));
  KeySpec spec;
  spec.name = TRY(fields.RequiredString("name", 128));
  spec.owner = TRY(fields.String("owner", 64)).value_or("");
  const std::string scope = TRY(fields.String("scope", 16)).value_or("use");
  const auto known = ScopeFromName(scope);
  if (!known) {
    return Failure(
        Error::Invalid("\"scope\" must be \"read\", \"use\" or \"admin\", not \"" + scope + "\""));
  }
  spec.scope = *known;
  spec.expires_in = TRY(fields.Duration("expires_in"));
  spec.requests_per_second = TRY(fields.Number("rate_limit", 1'000'000)).value_or(0);
  spec.max_sandboxes = TRY(fields.Number("max_sandboxes", 1'000'000));
  TRY(fields.Finish());
  return spec;
}

Result<void> CreateKey(ServerState& state, http::Exchange& exchange) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const KeySpec spec = TRY(ReadKeySpec(body));
  if (!state.keys.needed() && spec.scope != Scope::kAdmin) {
    // It would lock everybody out, its maker too.
    return Failure(
        Error(ErrorCode::kIllegalState, Fault::kCaller,
              "the first API key must have the scope admin: from then on every request needs a key")
            .WithRemedy("create a key of scope admin first"));
  }
  const NewKey made = TRY(state.keys.Create(spec));
  JsonWriter json;
  json.BeginObject();
  WriteKeyMembers(json, made.key);
  json.Member("key", made.token).EndObject();
  return RespondJson(exchange, 201, std::move(json),
                     {{"Location", "/api/keys/" + made.key.id}, {"Cache-Control", "no-store"}});
}

Result<void> RevokeKeyById(ServerState& state, http::Exchange& exchange) {
  TRY(state.keys.Revoke(exchange.request().Capture("id"), LastAdmin::kStays));
  return RespondNothing(exchange);
}

Result<void> ListAudit(ServerState& state, http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  AuditFilter filter;
  filter.owner = request.Query("owner").value_or("");
  filter.before = static_cast<int64_t>(TRY(QueryNumber(request, "before", INT64_MAX)).value_or(0));
  filter.limit = TRY(QueryNumber(request, "limit", kMaxAuditRows)).value_or(100);
  JsonResponse answer(exchange, 200);
  JsonWriter& json = answer.json();
  json.BeginObject().Key("entries").BeginArray();
  for (const AuditEntry& entry : TRY(state.audit.List(filter))) {
    json.BeginObject().Member("id", entry.id).Member("time", FormatTimestamp(entry.unix_ms));
    json.Member("request_id", entry.request_id).Member("owner", entry.owner);
    json.Member("key_id", entry.key_id);
    json.Member("peer", entry.peer).Member("operation", entry.operation);
    json.Member("method", entry.method).Member("path", entry.path);
    json.Member("status", entry.status).EndObject();
  }
  json.EndArray().EndObject();
  return answer.Finish();
}

}  // namespace

void WriteKeyMembers(JsonWriter& json, const ApiKey& key) {
  json.Member("id", key.id).Member("name", key.name).Member("owner", key.owner);
  json.Member("scope", ScopeName(key.scope)).Member("works", key.Works(UnixMs()));
  json.Member("rate_limit", key.requests_per_second).Member("max_sandboxes", key.max_sandboxes);
  WriteTime(json, "created_at", key.created_unix_ms);
  WriteTime(json, "expires_at", key.expires_unix_ms);
  WriteTime(json, "last_used_at", key.last_used_unix_ms);
  WriteTime(json, "revoked_at", key.revoked_unix_ms);
}

std::vector<Route> ServerRoutes(ServerState& state) {
  const auto with = [&state](Result<void> (*answer)(ServerState&, http::Exchange&)) -> Operation {
    return [&state, answer](http::Exchange& exchange, const Caller&) {
      return answer(state, exchange);
    };
  };
  constexpr bool kQuick = true;
  return {
      {"GET", "/health", Scope::kPublic, "health", with(&Health), {}, kQuick},
      {"GET", "/ready", Scope::kPublic, "ready", with(&Ready), {}, kQuick},
      {"GET", "/metrics", Scope::kRead, "metrics", with(&Metrics)},
      {"GET", "/api/keys", Scope::kAdmin, "listKeys", with(&ListKeys)},
      {"POST", "/api/keys", Scope::kAdmin, "createKey", with(&CreateKey), {kMaxSmallBody}},
      {"DELETE", "/api/keys/{id}", Scope::kAdmin, "revokeKey", with(&RevokeKeyById)},
      {"GET", "/api/audit", Scope::kAdmin, "listAudit", with(&ListAudit)},
  };
}

}  // namespace cay::api
