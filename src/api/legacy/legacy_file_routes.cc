// /files/…: files of a project (docs/migration.md): uploaded once, seen by every sandbox of the
// project.
#include <sys/stat.h>
#include <unistd.h>

#include "api/json_response.h"
#include "api/legacy/legacy_routes.h"
#include "api/multipart.h"
#include "api/problem.h"
#include "api/request.h"
#include "api/rest/files/byte_range.h"
#include "base/os/log.h"
#include "sandbox/projects/project_files.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using sandbox::Caller;
using sandbox::ProjectFile;

constexpr size_t kPieceBytes = 256 * 1024;
// The limits of files and projects are sandbox/'s; this bounds what stands between them.
constexpr Bytes kMaxUpload = 64 * kGiB;
// Ten thousand files (projects.max_files, unless it is raised) with their names.
constexpr Bytes kMaxProjectList = 8 * kMiB;
static_assert(2 * kMaxProjectList <= kLeastOutputHeld);

void WriteMembers(JsonWriter& json, const ProjectFile& file) {
  json.Member("file_id", file.id).Member("project_id", file.project);
  json.Member("filename", file.name).Member("original_name", file.original_name);
  json.Member("sha256", file.sha256).Member("content_type", file.content_type);
  json.Member("size", file.size).Member("uploaded_at", FormatTimestamp(file.uploaded_unix_ms));
  json.Member("path", "/workspace/project_files/" + file.name);
}

void WriteFiles(JsonWriter& json, const std::vector<ProjectFile>& files, bool uploaded) {
  json.Key("files").BeginArray();
  for (const ProjectFile& file : files) {
    json.BeginObject();
    WriteMembers(json, file);
    if (uploaded) json.Member("duplicate", file.duplicate);
    json.EndObject();
  }
  json.EndArray();
}

// All of them or none.
Result<std::vector<ProjectFile>> TakeFiles(const Services& services, const Caller& caller,
                                           const std::string& project, MultipartReader& parts) {
  std::vector<ProjectFile> files;
  const auto take = [&]() -> Result<void> {
    while (const auto part = TRY(parts.Next())) {
      if (!part->filename) continue;
      files.push_back(
          TRY(services.projects.Add(caller, project, *part->filename, part->content_type,
                                    [&](std::span<char> space) { return parts.Read(space); })));
    }
    return {};
  };
  const auto taken = take();
  if (taken) return files;
  for (const ProjectFile& file : files) {
    if (file.duplicate) continue;  // it was there before
    if (const auto removed = services.projects.Remove(caller, file.id); !removed) {
      LogWarning("undoing an upload: " + removed.error().ToString());
    }
  }
  return Failure(taken.error());
}

Result<void> Upload(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const std::string boundary = TRY(BoundaryOf(request.headers.Find("Content-Type").value_or("")));
  exchange.SetBodyLimit(kMaxUpload);
  MultipartReader parts(
      [&](std::span<char> space) -> Result<size_t> {
        auto count = exchange.ReadBody(space);
        if (!count) return Failure(BodyError(count.error(), kMaxUpload));
        return count;
      },
      boundary);
  const auto files = TRY(TakeFiles(services, caller, request.Capture("project_id"), parts));
  if (files.empty()) {
    return Failure(
        Error::Invalid("there is no file in the body").WithRemedy("curl -F file=@NAME sends one"));
  }
  JsonWriter json;
  json.BeginObject();
  WriteMembers(json, files.front());
  json.Member("duplicate", files.front().duplicate);
  WriteFiles(json, files, true);
  json.EndObject();
  return RespondJson(exchange, 201, std::move(json));
}

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  const std::string& project = exchange.request().Capture("project_id");
  const auto memory = TRY(MemoryForAnswer(*services.answers, caller.owner, kMaxProjectList));
  const auto files = TRY(services.projects.List(caller, project));
  JsonResponse answer(exchange, 200);
  answer.json().BeginObject().Member("project_id", project);
  WriteFiles(answer.json(), files, false);
  answer.json().EndObject();
  return answer.Finish();
}

Result<void> SendContent(Exchange& exchange, const Fd& content, ByteRange part) {
  std::string space(kPieceBytes, '\0');
  while (part.length > 0) {
    const size_t wanted = std::min<uint64_t>(space.size(), part.length);
    const ssize_t count =
        ::pread(content.get(), space.data(), wanted, static_cast<off_t>(part.offset));
    if (count < 0) return Failure(Error::FromErrno("reading a project's file"));
    if (count == 0) return Failure(Error::FromErrno("a project's file is too short", EIO));
    TRY(exchange.Write(std::string_view(space).substr(0, static_cast<size_t>(count))));
    part.offset += static_cast<uint64_t>(count);
    part.length -= static_cast<uint64_t>(count);
  }
  return exchange.Finish();
}

Result<void> Download(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const ProjectFile file = TRY(services.projects.Get(caller, request.Capture("file_id")));
  const std::string tag = "\"" + file.sha256 + "\"";
  // The type that the uploader gave is not served back: nothing of it is this server's document.
  http::Headers headers = {{"Content-Type", "application/octet-stream"},
                           {"Content-Disposition", AttachmentNamed(file.original_name)},
                           {"X-Content-Type-Options", "nosniff"},
                           {"ETag", tag},
                           {"Accept-Ranges", "bytes"}};
  if (request.headers.ListContains("If-None-Match", tag)) {
    return exchange.Respond({.status = 304, .headers = std::move(headers), .body = {}});
  }
  const bool same = request.headers.Find("If-Range").value_or(tag) == tag;
  const auto range = same ? ParseRange(request.headers.Find("Range").value_or(""), file.size)
                          : Result<std::optional<ByteRange>>(std::nullopt);
  if (!range) {
    http::Response response = ProblemResponse(range.error(), request.id);
    response.headers.Add("Content-Range", "bytes */" + std::to_string(file.size));
    return exchange.Respond(std::move(response));
  }
  const ByteRange part = range->value_or(ByteRange{0, file.size});
  if (*range) {
    headers.Add("Content-Range", "bytes " + std::to_string(part.offset) + "-" +
                                     std::to_string(part.offset + part.length - 1) + "/" +
                                     std::to_string(file.size));
  }
  const Fd content = TRY(services.projects.OpenContent(caller, file.id));
  TRY(exchange.Begin(*range ? 206 : 200, std::move(headers), part.length));
  if (request.method == "HEAD") return exchange.Finish();
  return SendContent(exchange, content, part);
}

Result<void> Remove(const Services& services, Exchange& exchange, const Caller& caller) {
  const std::string& id = exchange.request().Capture("file_id");
  TRY(services.projects.Remove(caller, id));
  JsonWriter json;
  json.BeginObject().Member("file_id", id).Member("status", "deleted").EndObject();
  return RespondJson(exchange, 200, std::move(json));
}

}  // namespace

void AddLegacyFileRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  add("POST", "/files/upload/{project_id}", Scope::kUse, "uploadProjectFile", &Upload, kAsItComes);
  add("GET", "/files/project/{project_id}", Scope::kRead, "listProjectFiles", &List);
  add("GET", "/files/{file_id}/download", Scope::kRead, "downloadProjectFile", &Download);
  add("DELETE", "/files/{file_id}", Scope::kUse, "removeProjectFile", &Remove);
}

}  // namespace cay::api::rest
