// Secrets: what owners keep for their sandboxes. A value goes in and never comes out.
#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "base/clock.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/rules/spec_rules.h"
#include "sandbox/secrets/secret_fields.h"

namespace cay::api::rest {
namespace {

namespace fields = sandbox::fields;
using http::Exchange;
using sandbox::Caller;
using sandbox::KeptSecret;

// Empty: none is named.
Result<std::string> NamedOwner(const http::Request& request, const Caller& caller) {
  std::string owner = TRY(QueryOwner(request, caller));
  if (!owner.empty()) TRY(sandbox::CheckOwnerName(owner));
  return owner;
}

// Whose one is: the caller's, or for an administrator the owner's that is named.
Result<std::string> OwnerOf(const http::Request& request, const Caller& caller) {
  std::string owner = TRY(NamedOwner(request, caller));
  return owner.empty() ? caller.owner : owner;
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  std::string owner = TRY(NamedOwner(exchange.request(), caller));
  if (owner.empty() && !caller.admin) owner = caller.owner;
  const auto all = TRY(services.manager.secrets().List(owner));
  JsonResponse answer(exchange, 200);
  WriteObject<fields::SecretList>(answer.json(), all);
  return answer.Finish();
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const std::string owner = TRY(OwnerOf(exchange.request(), caller));
  const auto kept = TRY(services.manager.secrets().Find(owner, exchange.request().Capture("name")));
  return RespondJson(exchange, 200, ObjectJson<fields::Secret>(kept));
}

Result<void> Put(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  auto asked = TRY((ReadObject<fields::SecretSpec, fields::AskedSecret>(body)));
  KeptSecret kept{.secret = std::move(asked.secret),
                  .variable = std::move(asked.variable),
                  .updated_unix_ms = UnixMs()};
  kept.owner = TRY(OwnerOf(exchange.request(), caller));
  kept.secret.name = exchange.request().Capture("name");
  if (kept.variable.empty()) kept.variable = sandbox::VariableFor(kept.secret.name);
  const std::string name = kept.secret.name;
  const std::string owner = kept.owner;
  const bool was_there = TRY(services.manager.secrets().Put(std::move(kept)));
  const auto now = TRY(services.manager.secrets().Find(owner, name));
  return RespondJson(exchange, was_there ? 200 : 201, ObjectJson<fields::Secret>(now));
}

Result<void> Delete(const Services& services, Exchange& exchange, const Caller& caller) {
  const std::string owner = TRY(OwnerOf(exchange.request(), caller));
  TRY(services.manager.secrets().Remove(owner, exchange.request().Capture("name")));
  return RespondNothing(exchange);
}

}  // namespace

void AddSecretRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string one = "/api/secrets/{name}";
  add("GET", "/api/secrets", Scope::kRead, "listSecrets", &List);
  add("GET", one, Scope::kRead, "getSecret", &Get);
  add("PUT", one, Scope::kUse, "setSecret", &Put, {kMaxSmallBody});
  add("DELETE", one, Scope::kUse, "removeSecret", &Delete);
}

}  // namespace cay::api::rest
