#include "api/rest/files/file_json.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "base/os/log.h"
#include "guest_link/file_paths.h"

namespace cay::api::rest {
namespace {

struct Type {
  std::string_view ending;
  std::string_view type;
};
// What people look at in a browser or a viewer; anything else is bytes.
constexpr std::array kTypes = {
    Type{"txt", "text/plain; charset=utf-8"},
    Type{"log", "text/plain; charset=utf-8"},
    Type{"md", "text/markdown; charset=utf-8"},
    Type{"csv", "text/csv; charset=utf-8"},
    Type{"html", "text/html; charset=utf-8"},
    Type{"htm", "text/html; charset=utf-8"},
    Type{"css", "text/css; charset=utf-8"},
    Type{"js", "text/javascript; charset=utf-8"},
    Type{"mjs", "text/javascript; charset=utf-8"},
    Type{"py", "text/x-python; charset=utf-8"},
    Type{"sh", "application/x-sh"},
    Type{"json", "application/json"},
    Type{"xml", "application/xml"},
    Type{"pdf", "application/pdf"},
    Type{"png", "image/png"},
    Type{"jpg", "image/jpeg"},
    Type{"jpeg", "image/jpeg"},
    Type{"gif", "image/gif"},
    Type{"webp", "image/webp"},
    Type{"svg", "image/svg+xml"},
    Type{"wasm", "application/wasm"},
    Type{"gz", "application/gzip"},
    Type{"tgz", "application/gzip"},
    Type{"zst", "application/zstd"},
    Type{"tar", "application/x-tar"},
    Type{"zip", "application/zip"},
};

std::string ModeText(uint32_t mode) {
  std::string text = "0000";
  for (size_t i = 0; i < 4; ++i) text[3 - i] = static_cast<char>('0' + (mode >> (3 * i) & 7));
  return text;
}

constexpr int64_t kNanosPerMilli = 1'000'000;

// Under /sandbox/{id}/files paths are as a manager of sessions had them.
std::string MeantPath(const http::Request& request, const sandbox::Lease& lease,
                      std::string_view path) {
  return request.path.starts_with("/sandbox/") ? BelowWorkdir(lease.workdir(), path)
                                               : std::string(path);
}

}  // namespace

std::string_view FileTypeName(protocol::FileKind kind) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "file", "directory", "symlink", "fifo", "socket", "char_device", "block_device"};
  return kNames[static_cast<size_t>(kind)];
}

void WriteName(JsonWriter& json, const std::string& member, std::string_view bytes) {
  json.Member(member, bytes);
  if (!IsUtf8(bytes)) json.Key(member + "_base64").Base64(bytes);
}

void WriteFileObject(JsonWriter& json, const protocol::FileInfo& info, std::string_view path) {
  json.BeginObject();
  WriteName(json, "path", path);
  WriteName(json, "name", LastComponent(path));
  json.Member("type", FileTypeName(info.kind)).Member("mode", ModeText(info.mode));
  json.Member("uid", info.uid).Member("gid", info.gid).Member("size", info.size);
  json.Member("modified_at", FormatTimestamp(info.modified_unix_ns / kNanosPerMilli));
  if (info.kind == protocol::FileKind::kSymlink) WriteName(json, "link_target", info.link_target);
  json.EndObject();
}

JsonWriter FileJson(const protocol::FileInfo& info, std::string_view path) {
  JsonWriter json;
  WriteFileObject(json, info, path);
  return json;
}

std::string UserOf(const http::Request& request, const sandbox::Lease& lease) {
  const auto user = request.Query("user");
  return user && !user->empty() ? std::string(*user) : lease.user();
}

Result<std::string> PathOf(const http::Request& request, const sandbox::Lease& lease) {
  const auto path = request.Query("path");
  if (!path || path->empty()) {
    return Failure(Error::Invalid("the parameter \"path\" is missing")
                       .WithRemedy("…?path=/workspace/outputs/result.txt"));
  }
  std::string absolute = TRY(AbsolutePath(lease.workdir(), MeantPath(request, lease, *path)));
  TRY(lease.CheckKept(absolute));
  return absolute;
}

Result<std::string> DirectoryOf(const http::Request& request, const sandbox::Lease& lease) {
  std::string absolute = TRY(DirectoryPath(
      lease.workdir(), MeantPath(request, lease, request.Query("path").value_or(""))));
  TRY(lease.CheckKept(absolute));
  return absolute;
}

std::string_view ContentTypeOf(std::string_view path) {
  const std::string_view name = LastComponent(path);
  const size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) {
    const auto* found = std::ranges::find(kTypes, name.substr(dot + 1), &Type::ending);
    if (found != kTypes.end()) return found->type;
  }
  return "application/octet-stream";
}

}  // namespace cay::api::rest
