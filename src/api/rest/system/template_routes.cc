// Templates: what there is to start from; new ones from a tar stream.
#include <fcntl.h>

#include "api/json_response.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/rest/routes.h"
#include "base/os/file.h"
#include "base/os/sys.h"
#include "json/field_writer.h"
#include "sandbox/lifecycle/snapshots.h"
#include "template/oci/platform.h"
#include "template/space/make_room.h"
#include "template/store/template_store.h"
#include "template/template_fields.h"
#include "template/usage/usage_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using templates::TemplateInfo;
using templates::ToldTemplate;

constexpr std::string_view kHost = "host";
constexpr size_t kMostUsers = 1000;

JsonWriter TemplateJson(const TemplateInfo& info) {
  return ObjectJson<templates::fields::Template>(info);
}

// Snapshots are their owners' alone.
Result<void> List(const Services& services, Exchange& exchange, const sandbox::Caller& caller) {
  auto all = TRY(services.templates.List());
  std::erase_if(all, [&](const TemplateInfo& info) { return !MaySee(caller, info.name); });
  return RespondJson(exchange, 200, ObjectJson<templates::fields::TemplateList>(all));
}

// Nothing beside what a list has of `host`, which is the machine's own files.
Result<ToldTemplate> Details(const Services& services, const TemplateInfo& info,
                             templates::Measured measured) {
  if (info.name == kHost) return ToldTemplate{.info = info};
  return TellTemplate(TRY(InspectTemplate(services.templates, info.name, measured)), measured);
}

Result<void> Get(const Services& services, Exchange& exchange, const sandbox::Caller& caller) {
  const std::string& name = exchange.request().Capture("name");
  if (!MaySee(caller, name)) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kCaller,
                         "there is no template \"" + name.substr(0, 200) + "\""));
  }
  const bool sizes = TRY(QueryBool(exchange.request(), "sizes", false));
  const TemplateInfo info = TRY(services.templates.InfoOf(name));
  ToldTemplate told =
      TRY(Details(services, info, sizes ? templates::Measured::kYes : templates::Measured::kNo));
  sandbox::ListFilter made_from;
  made_from.template_name = info.name;
  made_from.limit = kMostUsers;
  for (const auto& sandbox : TRY(services.manager.List(caller, made_from)).sandboxes)
    told.used_by.push_back(sandbox.id.text());
  JsonResponse answer(exchange, 200);
  WriteObject<templates::fields::TemplateDetails>(answer.json(), told);
  return answer.Finish();
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

// Which image of those that it holds, and how much of it; as `cay template import` has it.
Result<void> ReadChoice(const http::Request& request, templates::ImportOptions& options) {
  const auto check = [](std::string_view parameter, std::string_view value) -> Result<void> {
    if (!value.empty()) return {};
    return Failure(Error::Invalid("the parameter \"" + std::string(parameter) + "\" is empty"));
  };
  if (const auto tag = request.Query("tag")) {
    TRY(check("tag", *tag));
    options.tag = *tag;
  }
  if (const auto platform = request.Query("platform")) {
    TRY(check("platform", *platform));
    options.platform = TRY(templates::oci::Platform::Parse(*platform)).Text();
  }
  if (const auto text = request.Query("max_size")) {
    const Bytes most = TRY(ParseBytes(*text));
    if (most > options.max_bytes) {
      return Failure(
          Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                "the parameter \"max_size\" is more than " + HumanBytes(options.max_bytes)));
    }
    options.max_bytes = most;
  }
  return {};
}

Result<void> Put(const Services& services, Exchange& exchange) {
  const http::Request& request = exchange.request();
  templates::ImportOptions options;
  options.replace = TRY(QueryBool(request, "replace", false));
  options.source_name = "uploaded";
  TRY(ReadChoice(request, options));
  TRY(templates::MakeRoom(services.templates, request.content_length.value_or(0)));
  options.check_room = templates::RoomCheck(services.templates);
  const Fd file = TRY(ReceiveFile(services, exchange, templates::ImportOptions().max_bytes));
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
