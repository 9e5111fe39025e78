// The content of files: down, whole or in part, and up; never held in memory.
#include <cerrno>

#include "api/problem.h"
#include "api/request.h"
#include "api/rest/files/byte_range.h"
#include "api/rest/files/file_json.h"
#include "api/rest/routes.h"
#include "guest_link/file_paths.h"
#include "json/json_fields.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using protocol::FileInfo;
using protocol::FileKind;
using sandbox::Caller;
using sandbox::Lease;

// Weak: the same time and size are likely, not certain, to be the same bytes.
std::string EntityTag(const FileInfo& info) {
  return "W/\"" + std::to_string(info.size) + "-" + std::to_string(info.modified_unix_ns) + "\"";
}

Result<FileInfo> StatRegular(const Lease& lease, const std::string& user, const std::string& path) {
  auto info = TRY(lease.guest().Stat({.user = user, .path = path, .follow = true}));
  if (info.kind == FileKind::kRegular) return info;
  Error error = Error::Impossible("\"" + path + "\" is a " + std::string(FileTypeName(info.kind)) +
                                  ", not a regular file");
  if (info.kind == FileKind::kDirectory) {
    return Failure(std::move(error).WithRemedy("list it: " + Remedy(Action::kListDirectory) +
                                               "; or take it: " + Remedy(Action::kGetArchive)));
  }
  return Failure(std::move(error));
}

http::Headers ContentHeaders(const FileInfo& info, const std::string& path) {
  std::string mode = "0000";
  for (size_t i = 0; i < 4; ++i) mode[3 - i] = static_cast<char>('0' + (info.mode >> (3 * i) & 7));
  return {{"Content-Type", std::string(ContentTypeOf(path))},
          {"Content-Disposition", AttachmentNamed(LastComponent(path))},
          // Written by whoever the sandbox belongs to: never a document of this server's origin.
          {"X-Content-Type-Options", "nosniff"},
          {"Content-Security-Policy", "sandbox"},
          {"Cache-Control", "no-cache"},
          {"ETag", EntityTag(info)},
          {"X-File-Mode", mode},
          {"Accept-Ranges", "bytes"}};
}

// Exactly the bytes that were promised: a file that shrinks meanwhile cuts the response, what it
// grows by is not sent.
Result<void> SendBytes(Exchange& exchange, const Lease& lease,
                       const protocol::ReadFileRequest& request) {
  uint64_t left = request.length;
  if (left > 0) {
    TRY(lease.guest().ReadFile(request, [&](std::string_view bytes) -> Result<void> {
      if (bytes.size() > left) {
        return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "more bytes than asked for"));
      }
      left -= bytes.size();
      return exchange.Write(bytes);
    }));
  }
  if (left > 0) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the file became shorter while it was read"));
  }
  return exchange.Finish();
}

// A file of no size, which may have content all the same (those of /proc have): sent as it comes.
Result<void> SendUnsized(Exchange& exchange, const Lease& lease,
                         const protocol::ReadFileRequest& request, const http::Headers& headers) {
  TRY(lease.guest().ReadFile(request, [&](std::string_view bytes) -> Result<void> {
    if (!exchange.started()) TRY(exchange.Begin(200, headers));
    return exchange.Write(bytes);
  }));
  if (!exchange.started()) TRY(exchange.Begin(200, headers, 0));
  return exchange.Finish();
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  const std::string path = TRY(PathOf(request, lease));
  const std::string user = UserOf(request, lease);
  const FileInfo info = TRY(StatRegular(lease, user, path));
  http::Headers headers = ContentHeaders(info, path);
  if (request.headers.ListContains("If-None-Match", EntityTag(info)) ||
      request.headers.Find("If-None-Match") == "*") {
    return exchange.Respond({.status = 304, .headers = std::move(headers), .body = {}});
  }
  if (info.size == 0 && request.method != "HEAD" && !request.headers.Find("Range")) {
    return SendUnsized(exchange, lease, {.user = user, .path = path}, headers);
  }
  // If-Range wants a strong tag, which there is none of (RFC 9110, 13.1.5): then all is sent.
  const bool whole = request.headers.Find("If-Range").has_value();
  const auto range = whole ? Result<std::optional<ByteRange>>(std::nullopt)
                           : ParseRange(request.headers.Find("Range").value_or(""), info.size);
  if (!range) {
    http::Response response = ProblemResponse(range.error(), request.id);
    response.headers.Add("Content-Range", "bytes */" + std::to_string(info.size));
    return exchange.Respond(std::move(response));
  }
  const ByteRange part = range->value_or(ByteRange{0, info.size});
  if (*range) {
    headers.Add("Content-Range", "bytes " + std::to_string(part.offset) + "-" +
                                     std::to_string(part.offset + part.length - 1) + "/" +
                                     std::to_string(info.size));
  }
  TRY(exchange.Begin(*range ? 206 : 200, std::move(headers), part.length));
  if (request.method == "HEAD") return exchange.Finish();
  return SendBytes(exchange, lease,
                   {.user = user, .path = path, .offset = part.offset, .length = part.length});
}

Result<void> Put(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  protocol::WriteFileRequest write;
  write.user = UserOf(request, lease);
  write.path = TRY(PathOf(request, lease));
  write.mode = TRY(QueryMode(request, "mode"));
  write.make_parents = TRY(QueryBool(request, "parents", true));
  const Bytes limit = lease.view().limits.file_size;
  if (request.content_length.value_or(0) > limit) return Failure(BodyTooLarge(limit));
  exchange.SetBodyLimit(limit);
  const auto info =
      TRY(lease.guest().WriteFile(write, [&](std::span<char> space) -> Result<size_t> {
        auto count = exchange.ReadBody(space);
        if (!count) return Failure(BodyError(count.error(), limit));
        return count;
      }));
  return RespondJson(exchange, 201, FileJson(info, write.path));
}

Result<void> Delete(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  protocol::RemoveRequest remove;
  remove.user = UserOf(request, lease);
  remove.path = TRY(PathOf(request, lease));
  remove.recursive = TRY(QueryBool(request, "recursive", false));
  remove.missing_is_fine = TRY(QueryBool(request, "missing_ok", false));
  if (auto removed = lease.guest().Remove(remove); !removed) {
    const int why = removed.error().sys_errno();
    if (why != EISDIR && why != ENOTEMPTY) return removed;
    return Failure(std::move(removed).error().WithRemedy("with all that is in it: " +
                                                         Remedy(Action::kRemoveTree, remove.path)));
  }
  return RespondNothing(exchange);
}

}  // namespace

void AddContentRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string path = "/api/sandboxes/{id}/files";
  add("GET", path, Scope::kRead, "readFile", &Get);
  add("PUT", path, Scope::kUse, "writeFile", &Put, kAsItComes);
  add("DELETE", path, Scope::kUse, "removeFile", &Delete);
  const std::string session = "/sandbox/{id}/files";
  add("GET", session, Scope::kRead, "legacyReadFile", &Get);
  add("PUT", session, Scope::kUse, "legacyWriteFile", &Put, kAsItComes);
  add("DELETE", session, Scope::kUse, "legacyRemoveFile", &Delete);
}

}  // namespace cay::api::rest
