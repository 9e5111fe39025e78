#include "build/fetch/download_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "base/os/fd.h"
#include "base/os/file.h"
#include "json/json_members.h"
#include "json/json_writer.h"

namespace cay::build {
namespace {

constexpr size_t kMaxRequest = 128 * kKiB;

struct LineWriter {
  JsonWriter& json;

  void operator()(const DownloadProgress& progress) const {
    json.Member("kind", "progress").Member("bytes", progress.bytes).Member("of", progress.of);
  }
  void operator()(const DownloadNote& note) const {
    json.Member("kind", "note").Member("text", note.text);
  }
  void operator()(const Downloaded& done) const {
    json.Member("kind", "done").Member("bytes", done.bytes);
    json.Member("modified_unix", done.modified_unix);
  }
  void operator()(const Error& error) const {
    json.Member("kind", "error").Member("code", ErrorCodeName(error.code()));
    json.Member("callers", error.fault() == Fault::kCaller);
    json.Member("message", error.message()).Member("remedy", error.remedy().text());
  }
};

Result<DownloadRequest> ReadRequest() {
  const auto object = ParseObject(TRY(ReadFile(std::string(kDownloadRequestFile), kMaxRequest)));
  if (!object) return Failure(Error::Invalid("the request of a download is no JSON"));
  return DownloadRequest{.url = cay::TextOf(*object, "url"),
                         .authorization = cay::TextOf(*object, "authorization"),
                         .max_bytes = NumberOf<uint64_t>(*object, "max_bytes").value_or(0),
                         .is_pinned = FlagOf(*object, "is_pinned"),
                         .authorities = cay::TextOf(*object, "authorities")};
}

void Say(const DownloadLine& line) {
  // Nobody reads any more only where this process is about to be ended.
  static_cast<void>(WriteAll(STDOUT_FILENO, TextOf(line) + "\n"));
}

Result<Downloaded> Serve() {
  const DownloadRequest request = TRY(ReadRequest());
  const int raw = ::open(std::string(kDownloadedFile).c_str(),
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (raw < 0) return Failure(Error::FromErrno("making the file for what is fetched"));
  const DownloadTold told{.progress = [](const DownloadProgress& progress) { Say(progress); },
                          .note = [](const std::string& note) { Say(DownloadNote{.text = note}); }};
  return Download(request, Fd::Adopt(raw), told);
}

}  // namespace

std::string DownloadRequestText(const DownloadRequest& request) {
  JsonWriter json;
  json.BeginObject().Member("url", request.url).Member("authorization", request.authorization);
  json.Member("max_bytes", request.max_bytes).Member("is_pinned", request.is_pinned);
  json.Member("authorities", request.authorities).EndObject();
  return std::move(json).Take();
}

std::string TextOf(const DownloadLine& line) {
  JsonWriter json;
  json.BeginObject();
  std::visit(LineWriter{json}, line);
  json.EndObject();
  return std::move(json).Take();
}

std::optional<DownloadLine> ParseDownloadLine(std::string_view line) {
  const auto object = ParseObject(line);
  if (!object) return std::nullopt;
  const std::string kind = cay::TextOf(*object, "kind");
  const auto bytes = NumberOf<uint64_t>(*object, "bytes");
  if (kind == "progress" && bytes)
    return DownloadProgress{.bytes = *bytes, .of = NumberOf<uint64_t>(*object, "of")};
  if (kind == "note") return DownloadNote{.text = cay::TextOf(*object, "text")};
  if (kind == "done" && bytes)
    return Downloaded{.bytes = *bytes, .modified_unix = NumberOf(*object, "modified_unix")};
  if (kind != "error") return std::nullopt;
  Error error(ErrorCodeFromName(cay::TextOf(*object, "code")),
              FlagOf(*object, "callers") ? Fault::kCaller : Fault::kMachine,
              cay::TextOf(*object, "message"));
  const std::string remedy = cay::TextOf(*object, "remedy");
  if (remedy.empty()) return error;
  return std::move(error).WithRemedy(remedy);
}

int ServeDownload() {
  ::signal(SIGPIPE, SIG_IGN);
  const auto done = Serve();
  if (!done) {
    Say(done.error());
    return 1;
  }
  Say(*done);
  return 0;
}

}  // namespace cay::build
