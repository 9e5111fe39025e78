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

// How many times a file is looked at and then opened, when another one is there by then.
constexpr int kMaxLooks = 4;

// One answer with the content of a file. It begins when the file is open, with what that file is:
// one that cannot be read is an error of its own, and nothing is promised of another file.
class Content {
 public:
  Content(Exchange& exchange, std::string path, const FileInfo& seen,
          std::optional<ByteRange> range)
      : exchange_(exchange),
        path_(std::move(path)),
        tag_(EntityTag(seen)),
        range_(range),
        // A file of no size may have content all the same (those of /proc have): sent as it comes.
        unsized_(seen.size == 0 && !range && !head() && !exchange.request().headers.Find("Range")) {
  }

  // False: the range was of another file than the one that is there by now; nothing is sent yet.
  Result<bool> Send(const Lease& lease, const std::string& user) {
    protocol::ReadFileRequest read{.user = user, .path = path_};
    if (range_) {
      read.offset = range_->offset;
      read.length = range_->length;
    }
    if (head()) read.length = 0;
    auto done = lease.guest().ReadFile(
        read, [this](std::string_view bytes) { return Write(bytes); },
        [this](const FileInfo& info) { return Opened(info); });
    if (!done && other_) return false;
    if (!complete_) TRY(std::move(done));
    if (!exchange_.started()) TRY(exchange_.Begin(200, std::move(headers_), 0));
    if (!unsized_ && !head() && written_ < promised_) {
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                           "the file became shorter while it was read"));
    }
    TRY(exchange_.Finish());
    return true;
  }

 private:
  bool head() const { return exchange_.request().method == "HEAD"; }

  Result<void> Opened(const FileInfo& info) {
    headers_ = ContentHeaders(info, path_);
    unsized_ = unsized_ && info.size == 0;
    if (unsized_) return {};  // begun when it is known whether there is any content
    promised_ = info.size;
    if (range_) {
      other_ = EntityTag(info) != tag_;
      if (other_) return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "another file"));
      promised_ = range_->length;
      headers_.Add("Content-Range", "bytes " + std::to_string(range_->offset) + "-" +
                                        std::to_string(range_->offset + promised_ - 1) + "/" +
                                        std::to_string(info.size));
    }
    return exchange_.Begin(range_ ? 206 : 200, std::move(headers_), promised_);
  }

  // What a file grows by while it is read is not sent.
  Result<void> Write(std::string_view bytes) {
    if (unsized_) {
      if (!exchange_.started()) TRY(exchange_.Begin(200, std::move(headers_)));
      return exchange_.Write(bytes);
    }
    bytes = bytes.substr(0, promised_ - written_);
    if (bytes.empty()) {
      complete_ = true;
      return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine, "the file grows"));
    }
    written_ += bytes.size();
    return exchange_.Write(bytes);
  }

  Exchange& exchange_;
  std::string path_;
  std::string tag_;                 // of what was looked at
  std::optional<ByteRange> range_;  // what was asked for, if not all
  bool unsized_;
  http::Headers headers_;
  uint64_t promised_ = 0;
  uint64_t written_ = 0;
  bool other_ = false;
  bool complete_ = false;  // all that was promised is written, and more has come
};

Result<void> NotInRange(Exchange& exchange, const Error& error, uint64_t size) {
  http::Response response = ProblemResponse(error, exchange.request().id);
  response.headers.Add("Content-Range", "bytes */" + std::to_string(size));
  return exchange.Respond(std::move(response));
}

Result<void> Get(const Services& services, Exchange& exchange, const Caller& caller) {
  const http::Request& request = exchange.request();
  const Lease lease = TRY(services.manager.UseFiles(caller, request.Capture("id")));
  const std::string path = TRY(PathOf(request, lease));
  const std::string user = UserOf(request, lease);
  for (int look = 1; look <= kMaxLooks; ++look) {
    const FileInfo info = TRY(StatRegular(lease, user, path));
    if (request.headers.ListContains("If-None-Match", EntityTag(info)) ||
        request.headers.Find("If-None-Match") == "*") {
      return exchange.Respond({.status = 304, .headers = ContentHeaders(info, path), .body = {}});
    }
    // If-Range wants a strong tag, which there is none of (RFC 9110, 13.1.5): then all is sent.
    const bool whole = request.headers.Find("If-Range").has_value();
    const auto range = whole ? Result<std::optional<ByteRange>>(std::nullopt)
                             : ParseRange(request.headers.Find("Range").value_or(""), info.size);
    if (!range) return NotInRange(exchange, range.error(), info.size);
    if (TRY(Content(exchange, path, info, *range).Send(lease, user))) return {};
  }
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                       "\"" + path + "\" is another file each time that it is looked at"));
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
