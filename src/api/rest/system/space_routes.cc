// Space: what everything takes on the disk, and the removal of what can be made again.
#include "api/request.h"
#include "api/rest/routes.h"
#include "json/field_reader.h"
#include "json/field_writer.h"
#include "template/space/space_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
namespace fields = templates::fields;

Result<void> Measure(const Services& services, Exchange& exchange) {
  const bool verbose = TRY(QueryBool(exchange.request(), "verbose", false));
  templates::SpaceReport report = TRY(MeasureSpace(services.templates));
  if (!verbose)
    for (templates::SpaceRow& row : report.rows) row.items.clear();
  return RespondJson(exchange, 200, ObjectJson<fields::Space>(report));
}

Result<void> Prune(const Services& services, Exchange& exchange) {
  const JsonValue body = TRY(ReadJsonBody(exchange, kMaxSmallBody));
  const auto spec = TRY((ReadObject<fields::PruneSpec, templates::PruneSpec>(body)));
  const auto report = TRY(CollectSpace(services.templates, OptionsOf(spec)));
  return RespondJson(exchange, 200, ObjectJson<fields::PruneReport>(report));
}

}  // namespace

// Of everybody's, and by name: an administrator's.
void AddSpaceRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/system/df", Scope::kAdmin, "getSpace", &Measure);
  add("POST", "/api/system/prune", Scope::kAdmin, "pruneSpace", &Prune);
}

}  // namespace cay::api::rest
