// cay files ls | cat | put | get | stat | mkdir | mv | rm | watch: files of a sandbox of the
// server's.
#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>

#include "base/clock.h"
#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/copy/copy_paths.h"
#include "cli/copy/file_transfer.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct FilesOptions : ServerOptions {
  std::string user;
  std::string depth;
  std::string mode;
  bool recursive = false;
  bool parents = false;
  bool force = false;
};

// A path's operation of the sandbox that the first argument names.
Result<Target> On(ApiClient& api, const FilesOptions& options, const Positionals& rest,
                  std::string_view operation, const std::string& path) {
  const std::string id = TRY(api.ResolveSandbox(rest.values.front()));
  Target target(SandboxPath(id, operation));
  if (!path.empty()) target = std::move(target).Add("path", path);
  return std::move(target).AddUnlessEmpty("user", options.user);
}

std::string PathArgument(const Positionals& rest) {
  return rest.values.size() > 1 ? rest.values[1] : ".";
}

// "drwxr-xr-x" of {"type":"directory","mode":"0755"}.
std::string ModeCell(const json::object& file) {
  const std::string type = TextOf(file, "type");
  std::string cell(1, type == "directory"      ? 'd'
                      : type == "symlink"      ? 'l'
                      : type == "fifo"         ? 'p'
                      : type == "socket"       ? 's'
                      : type == "char_device"  ? 'c'
                      : type == "block_device" ? 'b'
                                               : '-');
  const std::string mode = TextOf(file, "mode");
  for (size_t i = mode.size() < 3 ? mode.size() : mode.size() - 3; i < mode.size(); ++i) {
    const int bits = mode[i] - '0';
    cell.push_back((bits & 4) != 0 ? 'r' : '-');
    cell.push_back((bits & 2) != 0 ? 'w' : '-');
    cell.push_back((bits & 1) != 0 ? 'x' : '-');
  }
  return cell;
}

std::string RenderFiles(const json::array& files) {
  const int64_t now = UnixMs();
  std::vector<std::vector<std::string>> rows = {{"MODE", "OWNER", "SIZE", "AGE", "NAME"}};
  for (const json::value& entry : files) {
    const json::object& file = entry.get_object();
    std::string name = NameCell(file, file.contains("name") ? "name" : "path");
    if (TextOf(file, "type") == "directory") name += '/';
    if (TextOf(file, "type") == "symlink") name += " -> " + NameCell(file, "link_target");
    rows.push_back({ModeCell(file), Cell(file, "uid") + ":" + Cell(file, "gid"),
                    BytesCell(file, "size"), AgeCell(file, "modified_at", now), std::move(name)});
  }
  return FormatTable(rows);
}

Result<void> PrintFile(const FilesOptions& options, const json::object& file) {
  return Print(options.json ? PrettyJson(file) : RenderFiles({file}));
}

Result<int> LsMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  const Target base = TRY(On(api, options, rest, "/files/list", PathArgument(rest)));
  json::array entries;
  std::string cursor;
  do {
    const json::object page = TRY(api.Get(Target(base)
                                              .AddUnlessEmpty("depth", options.depth)
                                              .AddUnlessEmpty("cursor", cursor)
                                              .text()));
    for (const json::value& entry : ArrayOf(page, "entries")) {
      if (entry.is_object()) entries.push_back(entry);
    }
    cursor = TextOf(page, "next_cursor");
  } while (!cursor.empty());
  if (options.quiet) {
    std::string names;
    for (const json::value& entry : entries) names += NameCell(entry.get_object(), "path") + "\n";
    TRY(Print(names));
  } else {
    // Of a whole tree the name alone says nothing.
    if (!options.depth.empty() && !options.json) {
      for (json::value& entry : entries) entry.get_object().erase("name");
    }
    TRY(Print(options.json ? PrettyJson(entries) : RenderFiles(entries)));
  }
  return 0;
}

Result<FileTransfer> TransferOf(ApiClient& api, const FilesOptions& options,
                                const Positionals& rest) {
  ::signal(SIGPIPE, SIG_IGN);
  std::string sandbox = TRY(api.ResolveSandbox(rest.values.front()));
  return FileTransfer{
      .api = api, .sandbox = std::move(sandbox), .user = options.user, .quiet = options.quiet};
}

Result<int> CatMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  FileTransfer transfer = TRY(TransferOf(api, options, rest));
  transfer.quiet = true;
  for (size_t i = 1; i < rest.values.size(); ++i) {
    Result<void> read = ReadFileTo(transfer, rest.values[i], STDOUT_FILENO);
    if (!read && read.error().sys_errno() == EPIPE) break;
    if (!read) return Failure(std::move(read).error());
  }
  return 0;
}

Result<int> PutMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  const FileTransfer transfer = TRY(TransferOf(api, options, rest));
  const std::string& source = rest.values[1];
  const std::string target = rest.values.size() > 2 ? rest.values[2] : BaseName(source);
  if (source == "-") {
    if (target == "-") return Failure(Error::Invalid("standard input needs a path to go to"));
    TRY(WriteFileFrom(transfer, STDIN_FILENO, target, std::nullopt, options.mode));
  } else {
    TRY(CopyToSandbox(transfer, source, target));
  }
  return 0;
}

Result<int> GetMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  const FileTransfer transfer = TRY(TransferOf(api, options, rest));
  const std::string target = rest.values.size() > 2 ? rest.values[2] : ".";
  if (target == "-") {
    TRY(ReadFileTo(transfer, rest.values[1], STDOUT_FILENO));
  } else {
    TRY(CopyFromSandbox(transfer, rest.values[1], target));
  }
  return 0;
}

Result<int> StatMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  const Target target = TRY(On(api, options, rest, "/files/stat", rest.values[1]));
  TRY(PrintFile(options, TRY(api.Get(target.text()))));
  return 0;
}

Result<int> MkdirMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  const Target target = TRY(On(api, options, rest, "/files/mkdir", ""));
  for (size_t i = 1; i < rest.values.size(); ++i) {
    json::object request{{"path", NameValue(rest.values[i])}};
    if (options.parents) request["parents"] = true;
    if (!options.mode.empty()) request["mode"] = options.mode;
    TRY(api.Call("POST", target.text(), request));
  }
  return 0;
}

Result<int> MvMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  const Target target = TRY(On(api, options, rest, "/files/move", ""));
  json::object request{{"from", NameValue(rest.values[1])}, {"to", NameValue(rest.values[2])}};
  if (options.force) request["replace"] = true;
  TRY(api.Call("POST", target.text(), request));
  return 0;
}

Result<int> RmMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  for (size_t i = 1; i < rest.values.size(); ++i) {
    Target target = TRY(On(api, options, rest, "/files", rest.values[i]));
    if (options.recursive) target = std::move(target).Add("recursive", "true");
    Result<json::object> removed = api.Call("DELETE", target.text());
    if (removed) continue;
    Error error = std::move(removed).error();
    if (error.code() == ErrorCode::kNotFound && options.force) continue;
    return Failure(std::move(error));
  }
  return 0;
}

// "renamed  old -> new/".
std::string WatchLine(std::string_view type, const json::object& data) {
  const std::string end = FlagOf(data, "directory") ? "/" : "";
  std::string line = OneLine(type) + "  ";
  if (data.contains("from")) line += NameCell(data, "from") + end + " -> ";
  return line + NameCell(data, "path") + end + "\n";
}

Result<int> WatchMain(ApiClient& api, FilesOptions& options, Positionals& rest) {
  Target target = TRY(On(api, options, rest, "/files/watch", PathArgument(rest)));
  if (options.recursive) target = std::move(target).Add("recursive", "true");
  EventSource source(
      [&](const std::string& last_id) { return api.OpenEvents(target.text(), last_id); });
  while (true) {
    const std::optional<ServerEvent> event = TRY(source.Next());
    if (!event) {
      source.Wait();
      continue;
    }
    json::object data = TRY(EventData(*event));
    if (event->type == "watching") continue;
    if (event->type == "error") {
      return Failure(ProblemError(data, event->data));
    }
    if (options.json) {
      data["type"] = event->type;
      TRY(Print(LineJson(data)));
    } else {
      TRY(Print(WatchLine(event->type, data)));
    }
  }
}

constexpr OptionSpec kUser = UserOption("Do it as this user inside (default the sandbox's)",
                                        kText<FilesOptions, &FilesOptions::user>);
constexpr OptionSpec kMode = {.name = "mode",
                              .value = "MODE",
                              .help = "Its permissions, in octal",
                              .example = "0755",
                              .apply = kText<FilesOptions, &FilesOptions::mode>};
constexpr OptionSpec kQuiet = {.name = "quiet",
                               .short_name = 'q',
                               .help = "No progress, no notes",
                               .apply = kFlag<FilesOptions, &FilesOptions::quiet>};
constexpr OptionSpec kRecursive = {.name = "recursive",
                                   .short_name = 'r',
                                   .help = "Directories with all that is in them",
                                   .apply = kFlag<FilesOptions, &FilesOptions::recursive>};
constexpr OptionSpec kUrl = kUrlOption<FilesOptions>;
constexpr OptionSpec kKey = kApiKeyFileOption<FilesOptions>;
constexpr OptionSpec kContext = kContextOption<FilesOptions>;
constexpr OptionSpec kJson = kJsonOption<FilesOptions>;

constexpr OptionSpec kLsOptions[] = {{.name = "depth",
                                      .value = "N",
                                      .help = "Levels of directories to list (default 1)",
                                      .example = "3",
                                      .apply = kText<FilesOptions, &FilesOptions::depth>},
                                     kJson,
                                     {.name = "quiet",
                                      .short_name = 'q',
                                      .help = "Only the paths",
                                      .apply = kFlag<FilesOptions, &FilesOptions::quiet>},
                                     kUser,
                                     kUrl,
                                     kKey,
                                     kContext};
constexpr OptionSpec kPlainOptions[] = {kUser, kUrl, kKey, kContext};
constexpr OptionSpec kPutOptions[] = {kMode, kQuiet, kUser, kUrl, kKey, kContext};
constexpr OptionSpec kGetOptions[] = {kQuiet, kUser, kUrl, kKey, kContext};
constexpr OptionSpec kStatOptions[] = {kJson, kUser, kUrl, kKey, kContext};
constexpr OptionSpec kMkdirOptions[] = {
    {.name = "parents",
     .short_name = 'p',
     .help = "Make missing directories above it too; a directory that exists is no error",
     .apply = kFlag<FilesOptions, &FilesOptions::parents>},
    kMode,
    kUser,
    kUrl,
    kKey,
    kContext};
constexpr OptionSpec kMvOptions[] = {{.name = "force",
                                      .short_name = 'f',
                                      .help = "Replace what is at the target",
                                      .apply = kFlag<FilesOptions, &FilesOptions::force>},
                                     kUser,
                                     kUrl,
                                     kKey,
                                     kContext};
constexpr OptionSpec kRmOptions[] = {kRecursive,
                                     {.name = "force",
                                      .short_name = 'f',
                                      .help = "A path that does not exist is no error",
                                      .apply = kFlag<FilesOptions, &FilesOptions::force>},
                                     kUser,
                                     kUrl,
                                     kKey,
                                     kContext};
constexpr OptionSpec kWatchOptions[] = {kRecursive, kJson, kUser, kUrl, kKey, kContext};

using Main = Result<int> (*)(ApiClient&, FilesOptions&, Positionals&);

// What all of them have in common.
template <Main kMain>
constexpr Command Sub(std::string_view name, std::string_view summary, std::string_view usage,
                      std::span<const OptionSpec> options, std::string_view examples, size_t least,
                      size_t most) {
  return {.name = name,
          .summary = summary,
          .usage = usage,
          .options = options,
          .examples = examples,
          .min_arguments = least,
          .max_arguments = most,
          .completes = Completes::kSandboxes,
          .run = &ParseAndCall<FilesOptions, kMain>};
}

constinit const Command kLs =
    Sub<LsMain>("ls", "List a directory", "[OPTIONS] SANDBOX [PATH]", kLsOptions,
                "cay files ls web\ncay files ls --depth 3 web /workspace\n", 1, 2);
constinit const Command kCat =
    Sub<CatMain>("cat", "Print files", "[OPTIONS] SANDBOX PATH...", kPlainOptions,
                 "cay files cat web /etc/os-release\n", 2, 1000);
constinit const Command kPut = Sub<PutMain>(
    "put", "Write a file: SOURCE, or - for standard input", "[OPTIONS] SANDBOX SOURCE [PATH]",
    kPutOptions,
    "cay files put web app.py\necho hello | cay files put --mode 0600 web - greeting\n", 2, 3);
constinit const Command kGet = Sub<GetMain>(
    "get", "Fetch a file or directory into TARGET (default here), or - for standard output",
    "[OPTIONS] SANDBOX PATH [TARGET]", kGetOptions, "cay files get web report.xml\n", 2, 3);
constinit const Command kStat =
    Sub<StatMain>("stat", "Say what is known of a file", "[OPTIONS] SANDBOX PATH", kStatOptions,
                  "cay files stat --json web app.py\n", 2, 2);
constinit const Command kMkdir =
    Sub<MkdirMain>("mkdir", "Make directories", "[OPTIONS] SANDBOX PATH...", kMkdirOptions,
                   "cay files mkdir -p web src/lib\n", 2, 1000);
constinit const Command kMv =
    Sub<MvMain>("mv", "Rename a file or directory", "[OPTIONS] SANDBOX FROM TO", kMvOptions,
                "cay files mv web draft.txt final.txt\n", 3, 3);
constinit const Command kRm = Sub<RmMain>("rm", "Remove files", "[OPTIONS] SANDBOX PATH...",
                                          kRmOptions, "cay files rm -r web build\n", 2, 1000);
constinit const Command kWatch =
    Sub<WatchMain>("watch", "Say what changes, as it happens", "[OPTIONS] SANDBOX [PATH]",
                   kWatchOptions, "cay files watch -r web /workspace\n", 1, 2);

constexpr const Command* kSubcommands[] = {&kLs,    &kCat, &kPut, &kGet,  &kStat,
                                           &kMkdir, &kMv,  &kRm,  &kWatch};

}  // namespace

constinit const Command kFilesCommand = {
    .name = "files",
    .summary = "Look at and change the files of a sandbox",
    .usage = "COMMAND",
    .description = "Paths that do not begin with / are the sandbox's working directory's.\n",
    .examples = "cay files ls web\ncay files cat web out.txt\n",
    .subcommands = kSubcommands,
};

}  // namespace cay::cli
