// What templates take on the disk, and the removal of those that nobody uses.
#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "sandbox/lifecycle/snapshots.h"
#include "template/store/template_name.h"
#include "template/usage/usage_fields.h"

namespace cay::api::rest {
namespace {

namespace fields = templates::fields;
using http::Exchange;
using sandbox::Caller;

Result<void> Measure(const Services& services, Exchange& exchange, const Caller& caller) {
  templates::ToldUsage told{.usage = TRY(MeasureStore(services.templates)), .sums = caller.admin};
  std::erase_if(told.usage.templates,
                [&](const templates::TemplateUsage& usage) { return !MaySee(caller, usage.name); });
  JsonResponse answer(exchange, 200);
  WriteObject<fields::StoreUsage>(answer.json(), told);
  return answer.Finish();
}

Result<void> Prune(const Services& services, Exchange& exchange) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const auto asked = TRY((ReadObject<fields::TemplatePruneSpec, templates::AskedPrune>(body)));
  templates::PruneOptions options{.unused_for = asked.unused_for, .dry_run = asked.dry_run};
  if (!asked.of_owners) {
    options.spares = [](const std::string& name) {
      return templates::ParseOwnedName(name).has_value();
    };
  }
  const templates::ToldPrune told{.report = TRY(PruneTemplates(services.templates, options)),
                                  .dry_run = asked.dry_run};
  return RespondJson(exchange, 200, ObjectJson<fields::TemplatePruneReport>(told));
}

}  // namespace

void AddUsageRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/templates/df", Scope::kRead, "measureTemplates", &Measure);
  add("POST", "/api/templates/prune", Scope::kAdmin, "pruneTemplates", &Prune, {kMaxSmallBody});
}

}  // namespace cay::api::rest
