// Trees of files as tar streams, out of a sandbox and into it.
#include "api/problem.h"
#include "api/request.h"
#include "api/rest/archive_format.h"
#include "api/rest/files/file_json.h"
#include "api/rest/routes.h"
#include "guest_link/file_paths.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::Lease;

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const ArchiveForm format = TRY(ReadArchiveForm(request));
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  protocol::ArchiveOutRequest out;
  out.user = UserOf(request, lease);
  out.path = TRY(DirectoryOf(request, lease));
  out.format = format.of_guest;
  out.contents = TRY(QueryBool(request, "contents", false));
  TRY(lease.guest().Stat({.user = out.user, .path = out.path, .follow = true}));
  std::string name(LastComponent(out.path));
  if (name == "/") name = "root";
  const auto begin = [&] {
    return exchange.Begin(
        200, {{"Content-Type", std::string(format.type)},
              {"Content-Disposition", AttachmentNamed(name + "." + std::string(format.name))},
              {"Cache-Control", "no-cache"}});
  };
  if (request.method == "HEAD") {
    TRY(begin());
    return exchange.Finish();
  }
  // Begun with the first bytes: what fails before them is still an answer of its own.
  TRY(lease.guest().ArchiveOut(out, [&](std::string_view bytes) -> Result<void> {
    if (!exchange.started()) TRY(begin());
    return exchange.Write(bytes);
  }));
  if (!exchange.started()) TRY(begin());
  return exchange.Finish();
}

Result<void> Put(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  protocol::ArchiveInRequest in;
  in.user = UserOf(request, lease);
  in.path = TRY(DirectoryOf(request, lease));
  in.make_parents = TRY(QueryBool(request, "parents", true));
  in.max_bytes = lease.view().limits.disk;
  // Headers and padding beside the content: a tree of small files is mostly those.
  constexpr Bytes kOverhead = 4;
  const Bytes limit = in.max_bytes * kOverhead;
  if (request.content_length.value_or(0) > limit) return Failure(BodyTooLarge(limit));
  exchange.SetBodyLimit(limit);
  const auto done = TRY(lease.guest().ArchiveIn(in, [&](std::span<char> space) -> Result<size_t> {
    auto count = exchange.ReadBody(space);
    if (!count) return Failure(BodyError(count.error(), limit));
    return count;
  }));
  JsonWriter json;
  json.BeginObject().Member("entries", done.entries).Member("bytes", done.bytes);
  json.Member("skipped", done.skipped).EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

}  // namespace

void AddArchiveRoutes(const Services& services, Routes& routes) {
  const std::string pattern = "/api/sandboxes/{id}/archive";
  const RouteAdder add(services, routes);
  add("GET", pattern, Scope::kRead, "readArchive", &Get);
  add("PUT", pattern, Scope::kUse, "writeArchive", &Put, kAsItComes);
}

}  // namespace cay::api::rest
