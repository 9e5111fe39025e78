#include "cli/remote/server_templates.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/array.hpp>

#include "base/clock.h"
#include "base/os/fd.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/copy/progress.h"
#include "cli/pulls/pull_bars.h"
#include "cli/session/follow_transfer.h"
#include "guest_link/host_archive.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

Result<size_t> ReadSome(const Fd& file, std::span<char> space) {
  while (true) {
    const ssize_t got = ::read(file.get(), space.data(), space.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return Failure(Error::FromErrno("read"));
  }
}

}  // namespace

std::string TemplatePath(const std::string& name) {
  return "/api/templates/" + EncodeComponent(name);
}

Result<std::optional<ApiClient>> NamedServer(const ConnectionOptions& options,
                                             const std::string& state_dir) {
  if (!state_dir.empty()) return std::nullopt;
  Connection connection = TRY(ChooseConnection(options));
  if (connection.origin == "default") return std::nullopt;
  return TRY(ApiClient::Open(std::move(connection)));
}

Result<int> ImportToServer(ApiClient& api, const ServerOptions& options, const std::string& name,
                           const std::string& source, const templates::ImportOptions& import) {
  const int raw = source == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                : ::open(source.c_str(), O_RDONLY | O_CLOEXEC);
  if (raw < 0) return Failure(Error::FromErrno(source));
  const Fd file = Fd::Adopt(raw);
  struct stat info{};
  if (::fstat(raw, &info) != 0) return Failure(Error::FromErrno(source));
  std::optional<PackStream> tar;
  http::ClientRequest request;
  request.method = "PUT";
  Target target = Target(TemplatePath(name))
                      .Add("replace", import.replace ? "true" : "false")
                      .AddUnlessEmpty("tag", import.tag)
                      .AddUnlessEmpty("platform", import.platform);
  if (import.max_bytes != templates::ImportOptions().max_bytes)
    target = std::move(target).Add("max_size", std::to_string(import.max_bytes));
  request.target = target.text();
  request.headers.Add("Content-Type", "application/octet-stream");
  if (S_ISDIR(info.st_mode)) {
    tar.emplace(TRY(PackStream::Start(source, ".", {})));
  } else if (S_ISREG(info.st_mode)) {
    request.source_length = static_cast<uint64_t>(info.st_size);
  }
  Progress progress(name, request.source_length, options.quiet);
  request.source = [&](std::span<char> space) -> Result<size_t> {
    const size_t got = TRY(tar ? tar->Read(space) : ReadSome(file, space));
    progress.Add(got);
    return got;
  };
  auto response = TRY(api.Send(std::move(request)));
  const json::object made = TRY(ParseJsonObject(TRY(response->ReadAll(kMaxAnswerBytes))));
  if (options.quiet) return 0;
  TRY(Print("imported " + name + "; try: cay create " + name + "\n"));
  const std::string notes = TextOf(made, "notes");
  if (!notes.empty()) Note(notes);
  return 0;
}

namespace {

using templates::PullProgress;

// What has changed of its layers since it was shown last.
void ShowPull(PullBars& bars, const json::object& pull) {
  for (const json::value& value : ArrayOf(pull, "layers")) {
    if (!value.is_object()) continue;
    const json::object& layer = value.get_object();
    PullProgress now{.layer = TextOf(layer, "digest"),
                     .done = NumberOf<uint64_t>(layer, "done").value_or(0),
                     .total = NumberOf<uint64_t>(layer, "size").value_or(0)};
    if (now.done >= now.total) now.stage = PullProgress::Stage::kFetched;
    bars.Show(now);
  }
  const Bytes unpacked = NumberOf<uint64_t>(pull, "unpacked").value_or(0);
  if (unpacked > 0) bars.Show({.stage = PullProgress::Stage::kUnpacking, .done = unpacked});
}

}  // namespace

Result<void> FollowPull(ApiClient& api, const std::string& id, bool quiet) {
  PullBars bars(quiet);
  TRY(FollowTransfer(api, kPullKind, id, [&](const json::object& now) { ShowPull(bars, now); }));
  return {};
}

Result<int> PullOnServer(ApiClient& api, const ServerOptions& options,
                         const sandbox::PullSpec& spec) {
  json::object request = {{"image", spec.image}};
  if (!spec.name.empty()) request["name"] = spec.name;
  if (!spec.platform.empty()) request["platform"] = spec.platform;
  if (spec.replace) request["replace"] = true;
  const json::object pull = TRY(api.Call("POST", "/api/pulls", request));
  TRY(FollowPull(api, TextOf(pull, "id"), options.quiet));
  const std::string name = TextOf(pull, "template");
  TRY(Print(options.quiet ? name + "\n" : "pulled " + name + "; try: cay create " + name + "\n"));
  return 0;
}

Result<int> PrintTemplates(const json::array& templates, const ServerOptions& options) {
  if (options.json) {
    TRY(Print(PrettyJson(templates)));
    return 0;
  }
  std::string names;
  std::vector<std::vector<std::string>> rows = {{"NAME", "SIZE", "AGE", "SOURCE"}};
  for (const json::value& entry : templates) {
    if (!entry.is_object()) continue;
    const json::object& info = entry.get_object();
    const bool built_in = TextOf(info, "imported_at").empty();
    names += TextOf(info, "name") + "\n";
    rows.push_back({Cell(info, "name"), built_in ? "-" : BytesCell(info, "size"),
                    AgeCell(info, "imported_at", UnixMs()), Cell(info, "source")});
  }
  TRY(Print(options.quiet ? names : FormatTable(rows)));
  return 0;
}

Result<int> ListServerTemplates(ApiClient& api, const ServerOptions& options) {
  const json::object answer = TRY(api.Get("/api/templates"));
  return PrintTemplates(ArrayOf(answer, "templates"), options);
}

Result<int> RemoveFromServer(ApiClient& api, const std::vector<std::string>& names) {
  for (const std::string& name : names) TRY(api.Call("DELETE", TemplatePath(name)));
  return 0;
}

}  // namespace cay::cli
