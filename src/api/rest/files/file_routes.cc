// What is done with files beside their content: list, stat, mkdir, move, chmod.
#include <algorithm>

#include "api/json_response.h"
#include "api/request.h"
#include "api/rest/files/file_json.h"
#include "api/rest/routes.h"
#include "base/encoding.h"
#include "guest_link/file_paths.h"
#include "json/json_fields.h"
#include "sandbox/processes/output_room.h"

namespace cay::api::rest {
namespace {

using http::Exchange;
using protocol::FileInfo;
using sandbox::Caller;
using sandbox::Lease;

constexpr uint64_t kDefaultPage = 1000;
constexpr uint64_t kMaxPage = 10'000;
constexpr uint64_t kMaxDepth = 64;

// The first `limit` entries by path, of those after `after`; whatever the number of entries that
// pass by.
class PageOfFiles {
 public:
  // `memory`: for the entries that are held, which paths make large.
  PageOfFiles(std::string after, size_t limit, Shares::Part memory)
      : after_(std::move(after)), limit_(limit), memory_(std::move(memory)) {}

  Result<void> Offer(const FileInfo& info) {
    if (!after_.empty() && info.path <= after_) return {};
    if (heap_.size() > limit_ && !(info.path < heap_.front().path)) return {};
    TRY(HoldMore(SizeOf(info)));
    heap_.push_back(info);
    std::ranges::push_heap(heap_, {}, &FileInfo::path);
    // One more than the page: then there is a next one.
    if (heap_.size() > limit_ + 1) {
      std::ranges::pop_heap(heap_, {}, &FileInfo::path);
      held_ -= SizeOf(heap_.back());
      heap_.pop_back();
    }
    return {};
  }

  struct Done {
    std::vector<FileInfo> entries;
    bool more = false;
  };
  Done Take() {
    std::ranges::sort_heap(heap_, {}, &FileInfo::path);
    const bool more = heap_.size() > limit_;
    if (more) heap_.pop_back();
    return {std::move(heap_), more};
  }

 private:
  // Twice, since a vector doubles its memory to grow.
  static Bytes SizeOf(const FileInfo& info) {
    return 2 * (sizeof info + info.path.size() + info.link_target.size());
  }
  Result<void> HoldMore(Bytes bytes) {
    held_ += bytes;
    if (held_ <= memory_.size()) return {};
    const Bytes step = std::max(held_ - memory_.size(), kStep);
    const auto taken = memory_.TakeWithin(step, sandbox::OutputRoom::kPatience);
    if (taken == Shares::Taken::kYes) return {};
    return Failure(sandbox::NoMemoryForAnswer(taken));
  }

  static constexpr Bytes kStep = 256 * kKiB;

  std::string after_;
  size_t limit_;
  Shares::Part memory_;
  Bytes held_ = 0;
  std::vector<FileInfo> heap_;  // the largest path in front
};

Result<void> List(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const auto depth = TRY(QueryNumber(request, "depth", kMaxDepth)).value_or(1);
  const auto limit = TRY(QueryNumber(request, "limit", kMaxPage)).value_or(kDefaultPage);
  if (depth == 0 || limit == 0) {
    return Failure(Error::Invalid("the parameters \"depth\" and \"limit\" must be over 0"));
  }
  auto after = DecodeBase64(request.Query("cursor").value_or(""));
  if (!after)
    return Failure(Error::Impossible("the parameter \"cursor\" is none of this server's"));
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  const std::string path = TRY(DirectoryOf(request, lease));
  PageOfFiles page(*std::move(after), limit, services.answers->For(caller.owner));
  protocol::ListRequest list;
  list.user = UserOf(request, lease);
  list.path = path;
  list.depth = static_cast<uint32_t>(depth);
  TRY(lease.guest().List(list, [&](const FileInfo& info) { return page.Offer(info); }));
  const auto done = page.Take();
  const std::string prefix = path.ends_with('/') ? path : path + "/";
  JsonResponse answer(exchange, 200);
  JsonWriter& json = answer.json();
  json.BeginObject();
  WriteName(json, "path", path);
  json.Key("entries").BeginArray();
  for (const FileInfo& info : done.entries) WriteFileObject(json, info, prefix + info.path);
  json.EndArray().Key("next_cursor");
  if (done.more) {
    json.Value(EncodeBase64(done.entries.back().path));
  } else {
    json.Null();
  }
  json.EndObject();
  return answer.Finish();
}

Result<void> Stat(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const bool follow = TRY(QueryBool(request, "follow", true));
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  const std::string path = TRY(PathOf(request, lease));
  const auto info =
      TRY(lease.guest().Stat({.user = UserOf(request, lease), .path = path, .follow = follow}));
  return RespondJson(exchange, 200, FileJson(info, path));
}

// A path in a body.
Result<std::string> ReadPath(JsonFields& fields, std::string_view name, const Lease& lease) {
  const auto path = TRY(fields.TextOrBase64(name, protocol::kMaxPathBytes));
  if (!path) return Failure(Error::Invalid(fields.PathOf(name) + " is missing"));
  auto absolute = AbsolutePath(lease.workdir(), *path);
  if (!absolute) return Failure(fields.Wrong(name, absolute.error()));
  TRY(lease.CheckKept(*absolute));
  return absolute;
}

Result<void> RespondWithFile(Exchange& exchange, int status, const Lease& lease,
                             const std::string& user, const std::string& path) {
  const auto info = TRY(lease.guest().Stat({.user = user, .path = path, .follow = false}));
  return RespondJson(exchange, status, FileJson(info, path));
}

Result<void> MakeDirectory(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto fields = TRY(JsonFields::Of(body));
  const Lease lease = TRY(services.manager.UseFiles(caller, exchange.request().Capture("id")));
  protocol::MakeDirectoryRequest make;
  make.user = UserOf(exchange.request(), lease);
  make.path = TRY(ReadPath(fields, "path", lease));
  make.mode = TRY(fields.Mode("mode")).value_or(make.mode);
  make.parents = TRY(fields.Bool("parents")).value_or(false);
  TRY(fields.Finish());
  TRY(lease.guest().MakeDirectory(make));
  return RespondWithFile(exchange, 201, lease, make.user, make.path);
}

Result<void> Move(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto fields = TRY(JsonFields::Of(body));
  const Lease lease = TRY(services.manager.UseFiles(caller, exchange.request().Capture("id")));
  protocol::MoveRequest move;
  move.user = UserOf(exchange.request(), lease);
  move.from = TRY(ReadPath(fields, "from", lease));
  move.to = TRY(ReadPath(fields, "to", lease));
  move.replace = TRY(fields.Bool("replace")).value_or(false);
  TRY(fields.Finish());
  TRY(lease.guest().Move(move));
  return RespondWithFile(exchange, 200, lease, move.user, move.to);
}

Result<void> ChangeMode(const Services& services, Exchange& exchange, const Caller& caller) {
  const JsonValue body = TRY(ReadJsonBody(exchange));
  auto fields = TRY(JsonFields::Of(body));
  const Lease lease = TRY(services.manager.UseFiles(caller, exchange.request().Capture("id")));
  protocol::ChangeModeRequest change;
  change.user = UserOf(exchange.request(), lease);
  change.path = TRY(ReadPath(fields, "path", lease));
  const auto mode = TRY(fields.Mode("mode"));
  TRY(fields.Finish());
  if (!mode) return Failure(Error::Invalid("\"mode\" is missing"));
  change.mode = *mode;
  TRY(lease.guest().ChangeMode(change));
  return RespondWithFile(exchange, 200, lease, change.user, change.path);
}

}  // namespace

void AddFileRoutes(const Services& services, Routes& routes) {
  const RouteAdder add(services, routes);
  const std::string files = "/api/sandboxes/{id}/files/";
  add("GET", files + "list", Scope::kRead, "listFiles", &List);
  add("GET", "/sandbox/{id}/files/list", Scope::kRead, "legacyListFiles", &List);
  add("GET", files + "stat", Scope::kRead, "statFile", &Stat);
  add("POST", files + "mkdir", Scope::kUse, "makeDirectory", &MakeDirectory);
  add("POST", files + "move", Scope::kUse, "moveFile", &Move);
  add("POST", files + "chmod", Scope::kUse, "changeMode", &ChangeMode);
}

}  // namespace cay::api::rest
