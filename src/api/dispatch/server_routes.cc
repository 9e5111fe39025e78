#include "api/dispatch/server_routes.h"

#include <chrono>

#include "api/gate/gate_fields.h"
#include "api/json_response.h"
#include "api/problem.h"
#include "api/request.h"
#include "base/clock.h"
#include "json/field_reader.h"
#include "json/field_writer.h"

namespace cay::api {
namespace {

using sandbox::Caller;

constexpr uint64_t kMaxAuditRows = 1000;

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
  return RespondJson(exchange, 200, ListJson<fields::Key>("keys", state.keys.List()));
}

class KeyReader : public FieldReader {
 public:
  using FieldReader::FieldReader;
  using FieldReader::operator();
  void operator()(const About& about, const field::Word&, Scope& scope) {
    Read([&](JsonFields& fields) -> Result<void> {
      const std::string name = TRY(fields.String(about.name, 16)).value_or("use");
      const auto known = ScopeFromName(name);
      if (!known) {
        return Failure(Error::Invalid("\"scope\" must be \"read\", \"use\" or \"admin\", not \"" +
                                      name + "\""));
      }
      scope = *known;
      return {};
    });
  }
};

Result<KeySpec> ReadKeySpec(const JsonValue& body) {
  JsonFields members = TRY(JsonFields::Of(body));
  KeySpec spec;
  KeyReader reader(members);
  fields::KeySpec::Of(spec, reader);
  TRY(reader.Finish());
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
  return RespondJson(exchange, 201, ObjectJson<fields::NewKey>(made),
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
  const auto entries = TRY(state.audit.List(filter));
  JsonResponse answer(exchange, 200);
  WriteList<fields::AuditEntry>(answer.json(), "entries", entries);
  return answer.Finish();
}

}  // namespace

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
