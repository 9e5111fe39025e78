// Templates: what there is to start from; new ones from a tar stream.
#include <fcntl.h>

#include "api/problem.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "json/field_writer.h"
#include "sandbox/lifecycle/snapshots.h"
#include "template/space/make_room.h"
#include "template/store/template_store.h"
#include "template/template_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using templates::TemplateInfo;

JsonWriter TemplateJson(const TemplateInfo& info) {
  return ObjectJson<templates::fields::Template>(info);
}

// Snapshots are their owners' alone.
Result<void> List(const Services& services, Exchange& exchange, const sandbox::Caller& caller) {
  auto all = TRY(services.templates.List());
  std::erase_if(all, [&](const TemplateInfo& info) { return !MaySee(caller, info.name); });
  return RespondJson(exchange, 200, ObjectJson<templates::fields::TemplateList>(all));
}

Result<void> Get(const Services& services, Exchange& exchange, const sandbox::Caller& caller) {
  const std::string& name = exchange.request().Capture("name");
  if (!MaySee(caller, name)) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "there is no template \"" + name.substr(0, 200) + "\""));
  }
  const auto info = TRY(services.templates.InfoOf(name));
  return RespondJson(exchange, 200, TemplateJson(info));
}

// The body in a file that has no name, so that nothing of it stays behind.
Result<Fd> ReceiveFile(const Services& services, Exchange& exchange, Bytes limit) {
  if (exchange.request().content_length.value_or(0) > limit) return Failure(BodyTooLarge(limit));
  exchange.SetBodyLimit(limit);
  Fd file = TRY(sys::OpenAt(AT_FDCWD, services.facts.state_dir.c_str(),
                            O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  std::vector<char> space(256 * kKiB);
  for (;;) {
    const auto count = exchange.ReadBody(space);
    if (!count) return Failure(BodyError(count.error(), limit));
    if (*count == 0) return file;
    TRY(WriteAll(file.get(), {space.data(), *count}));
  }
}

Result<void> Put(const Services& services, Exchange& exchange) {
  const http::Request& request = exchange.request();
  templates::ImportOptions options;
  options.replace = TRY(QueryBool(request, "replace", false));
  options.source_name = "uploaded";
  TRY(templates::MakeRoom(services.templates, request.content_length.value_or(0)));
  options.check_room = templates::RoomCheck(services.templates);
  const Fd file = TRY(ReceiveFile(services, exchange, options.max_bytes));
  const auto info = TRY(services.templates.Import(
      request.Capture("name"), "/proc/self/fd/" + std::to_string(file.get()), options));
  return RespondJson(exchange, 201, TemplateJson(info),
                     {{"Location", "/api/templates/" + info.name}});
}

Result<void> Delete(const Services& services, Exchange& exchange) {
  TRY(services.templates.Remove(exchange.request().Capture("name")));
  return RespondNothing(exchange);
}

}  // namespace

void AddTemplateRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("GET", "/api/templates", Scope::kRead, "listTemplates", &List);
  add("GET", "/api/templates/{name}", Scope::kRead, "getTemplate", &Get);
  add("PUT", "/api/templates/{name}", Scope::kAdmin, "importTemplate", &Put, kAsItComes);
  add("DELETE", "/api/templates/{name}", Scope::kAdmin, "removeTemplate", &Delete);
}

}  // namespace cay::api::rest
