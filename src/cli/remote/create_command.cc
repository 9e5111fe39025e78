// cay create: a sandbox on the server. Values go to the server as they were typed: its limits and
// its words for what is wrong with them are the ones that count.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdint>
#include <span>

#include "build/packages/derive.h"
#include "cli/client/call.h"
#include "cli/client/values.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/env_options.h"
#include "cli/frame/limits_file.h"
#include "cli/packages/package_options.h"
#include "cli/remote/change_options.h"
#include "cli/remote/server_templates.h"
#include "cli/session/follow_build.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using std::string_view;

struct CreateOptions : ServerOptions {
  json::object request;
  std::vector<std::string> env_files;
  std::vector<std::string> env;
  json::object metadata;
  json::array mounts;
  json::array volumes;
  json::array tmpfs;
  std::optional<AskedNetwork> network;
  PackageOptions packages;  // what is asked alone
  std::string idempotency_key;
  std::string limits_file;
  bool use_entrypoint = false;
  std::optional<std::string> entrypoint;
};

template <auto kApply>
constexpr auto kInto = &Into<CreateOptions, kApply>;

Result<void> AddLabel(CreateOptions& options, string_view value) {
  const size_t equals = value.find('=');
  if (equals == 0 || equals == string_view::npos) {
    return Failure(Error::Invalid("\"" + std::string(value) + "\" is not KEY=VALUE"));
  }
  options.metadata[value.substr(0, equals)] = value.substr(equals + 1);
  return {};
}

Result<void> AddMount(CreateOptions& options, string_view value) {
  const engine::Mount mount = TRY(ParseMount(value));
  options.mounts.push_back(
      {{"source", mount.source}, {"target", mount.target}, {"read_only", mount.read_only}});
  return {};
}

Result<void> AddVolume(CreateOptions& options, string_view value) {
  const sandbox::VolumeUse use = TRY(ParseVolume(value));
  options.volumes.push_back({{"name", use.name}, {"path", use.path}, {"read_only", use.read_only}});
  return {};
}

Result<void> AddTmpfs(CreateOptions& options, string_view value) {
  const engine::Tmpfs tmpfs = TRY(ParseTmpfs(value));
  options.tmpfs.push_back({{"target", tmpfs.target}, {"size", tmpfs.size}});
  return {};
}

// Those that no option has named. The server says what is wrong with a value.
Result<void> AddLimitsOfFile(const CreateOptions& options, json::object& request) {
  if (options.limits_file.empty()) return {};
  for (const LimitLine& limit : TRY(ReadLimitsFile(options.limits_file))) {
    if (request.contains(limit.name)) continue;
    if (limit.name != "pids_limit" && limit.name != "open_files_limit") {
      request[limit.name] = limit.value;
      continue;
    }
    const auto number = ParseUnsigned(limit.value);
    if (!number) return Failure(WrongLimit(options.limits_file, limit, number.error()));
    request[limit.name] = *number;
  }
  return {};
}

json::object PackagesObject(const build::AskedPackages& asked) {
  json::object config;
  if (!asked.packages.empty())
    config["packages"] = json::array(asked.packages.begin(), asked.packages.end());
  if (!asked.requirements.empty()) config["requirements"] = asked.requirements;
  if (!asked.package_json.empty()) config["package_json"] = asked.package_json;
  if (!asked.package_lock.empty()) config["package_lock"] = asked.package_lock;
  return config;
}

// The build of its packages, shown as one of this machine; an error when it made nothing.
Result<void> AwaitPackages(ApiClient& api, const std::string& id, bool quiet) {
  const SignalScope scope(false);
  CallersSignals signals = TRY(scope.Open());
  BuildPrinter printer(quiet ? BuildProgress::kQuiet : BuildProgress::kAuto);
  const auto followed = FollowBuild(api, id, printer, signals);
  printer.Clear();
  if (!followed) return Failure(followed.error());
  if (followed->failure) return Failure(build::PackageError(*followed->failure));
  const std::string state = TextOf(followed->build, "state");
  if (state == "done") return {};
  if (state == "failed")
    return Failure(Error(ErrorCodeFromName(TextOf(followed->build, "error_code")), Fault::kCaller,
                         TextOf(followed->build, "error")));
  Error stopped(ErrorCode::kUnavailable, Fault::kCaller,
                "installing the packages was stopped; what was finished is kept");
  if (followed->signal != 0) stopped.set_sys_errno(ECANCELED);
  return Failure(std::move(stopped));
}

Result<json::object> CreateOnce(ApiClient& api, const CreateOptions& options,
                                const json::object& request) {
  http::ClientRequest call;
  call.method = "POST";
  call.target = "/api/sandboxes";
  call.headers.Add("Content-Type", "application/json");
  if (!options.idempotency_key.empty()) {
    call.headers.Add("Idempotency-Key", options.idempotency_key);
  }
  // At once it says which build it waits for, which is shown then.
  if (request.contains("environment_config")) call.headers.Add("Prefer", "wait=0");
  call.body = TRY(JsonBody(request));
  auto response = TRY(api.Send(std::move(call)));
  return ParseJsonObject(TRY(response->ReadAll(kMaxAnswerBytes)));
}

// Of an image that is being pulled the server says so after a while: then that is followed.
Result<json::object> CreateOrAwait(ApiClient& api, const CreateOptions& options,
                                   const json::object& request) {
  while (true) {
    auto created = CreateOnce(api, options, request);
    if (created) return created;
    const auto& parts = created.error().remedy().parts();
    const auto built =
        std::ranges::find(parts, Action::kAwaitBuild, [](const auto& part) { return part.action; });
    if (built != parts.end()) {
      TRY(AwaitPackages(api, built->text, options.quiet));
      continue;
    }
    const auto awaited =
        std::ranges::find(parts, Action::kAwaitPull, [](const auto& part) { return part.action; });
    if (awaited == parts.end()) return created;
    if (!options.quiet) Note(created.error().message());
    TRY(FollowPull(api, awaited->text, options.quiet));
  }
}

constexpr auto kSetEntrypoint = [](CreateOptions& options, string_view value) -> Result<void> {
  options.entrypoint = value;
  return {};
};

// As `cay run` has it: a command alone is what is started, and with an entrypoint its arguments.
Result<void> AddStartup(const CreateOptions& options, const Positionals& rest,
                        json::object& request) {
  if (rest.before_separator > 1) {
    return Failure(Error::Invalid(rest.values[1] + ": one argument too many")
                       .WithRemedy("a command comes after --, as in cay create host -- sleep 60"));
  }
  if (options.use_entrypoint && options.entrypoint)
    return Failure(Error::Invalid("--entrypoint is instead of what --use-entrypoint is of"));
  const auto command = std::span(rest.values).subspan(rest.before_separator);
  if (!command.empty()) request["cmd"] = json::array(command.begin(), command.end());
  if (options.use_entrypoint) {
    request["entrypoint"] = true;
  } else if (options.entrypoint || !command.empty()) {
    const std::string program = options.entrypoint.value_or("");
    request["entrypoint"] = program.empty() ? json::array{} : json::array{program};
  }
  return {};
}

// What did not start is no reason that there is no sandbox; but somebody waits for it.
void NoteStartup(const json::object& sandbox) {
  const json::object& startup = ObjectOf(sandbox, "startup");
  if (TextOf(startup, "state") == "failed")
    Note("its start-up process could not be started: " + TextOf(startup, "reason"));
}

Result<int> CreateMain(ApiClient& api, CreateOptions& options, Positionals& rest) {
  json::object request = options.request;
  TRY(AddStartup(options, rest, request));
  if (rest.before_separator > 0) request["template"] = rest.values.front();
  const json::object env = TRY(EnvObject(options.env_files, options.env));
  if (!env.empty()) request["env"] = env;
  if (!options.metadata.empty()) request["metadata"] = options.metadata;
  if (!options.mounts.empty()) request["mounts"] = options.mounts;
  if (!options.volumes.empty()) request["volumes"] = options.volumes;
  if (options.network) request["network"] = NetworkObject(*options.network);
  if (!options.tmpfs.empty()) request["tmpfs"] = options.tmpfs;
  if (!options.packages.asked.none())
    request["environment_config"] = PackagesObject(options.packages.asked);
  TRY(AddLimitsOfFile(options, request));
  const json::object sandbox = TRY(CreateOrAwait(api, options, request));
  if (!options.quiet) {
    for (const json::value& entry : ArrayOf(sandbox, "not_enforced")) {
      if (!entry.is_object()) continue;
      Note("not enforced here: " + TextOf(entry.get_object(), "limit") + " (" +
           TextOf(entry.get_object(), "why") + ")");
    }
    NoteStartup(sandbox);
  }
  TRY(Print(options.json ? PrettyJson(sandbox) : TextOf(sandbox, "id") + "\n"));
  return 0;
}

constexpr OptionSpec kOptions[] = {
    {.name = "name",
     .short_name = 'n',
     .value = "NAME",
     .help = "A name for it, unique among yours",
     .group = "Sandbox",
     .example = "web",
     .apply = kInto<PutText<CreateOptions, "name">>},
    {.name = "template",
     .value = "NAME",
     .help = "What it starts from (default the server's; also as the argument)",
     .example = "host",
     .completes = Completes::kTemplates,
     .apply = kInto<PutText<CreateOptions, "template">>},
    {.name = "project",
     .value = "NAME",
     .help = "The project whose files it sees in project_files",
     .example = "shop",
     .apply = kInto<PutText<CreateOptions, "project_name">>},
    {.name = "label",
     .short_name = 'l',
     .value = "KEY=VALUE",
     .help = "Metadata to list and filter by; repeatable",
     .example = "run=17",
     .apply = kInto<AddLabel>},
    {.name = "env",
     .short_name = 'e',
     .value = "NAME[=VALUE]",
     .help = "A variable of every process; NAME alone passes on the caller's value; repeatable",
     .example = "MODE=test",
     .apply = kInto<AddEnv<CreateOptions>>},
    EnvFileOption<CreateOptions>(),
    {.name = "use-entrypoint",
     .help = "Start the image's entrypoint with it, with COMMAND as its arguments",
     .apply = kFlag<CreateOptions, &CreateOptions::use_entrypoint>},
    {.name = "entrypoint",
     .value = "PROGRAM",
     .help = "Start this with it, instead of the image's entrypoint ('': none)",
     .example = "/bin/server",
     .apply = kInto<kSetEntrypoint>},
    WorkdirOption("Working directory inside (default the template's)",
                  kInto<PutText<CreateOptions, "workdir">>),
    UserOption("Name, uid or uid:gid of processes (default the template's)",
               kInto<PutText<CreateOptions, "user">>),
    {.name = "description",
     .value = "TEXT",
     .help = "What it is for, in your own words",
     .example = "'training of model 7'",
     .apply = kInto<PutText<CreateOptions, "description">>},
    {.name = "hostname",
     .value = "NAME",
     .help = "Host name inside",
     .example = "build",
     .apply = kInto<PutText<CreateOptions, "hostname">>},
    {.name = "mount",
     .short_name = 'v',
     .value = "SRC:DST[:ro|rw]",
     .help =
         "Show SRC of the server's machine at DST; only below the roots its administrator listed",
     .example = "/srv/data:/data",
     .apply = kInto<AddMount>},
    {.name = "volume",
     .value = "NAME:DST[:ro]",
     .help = "The volume NAME (cay volume) at DST inside, alone, or with others that only read; "
             "repeatable",
     .example = "data:/data",
     .apply = kInto<AddVolume>},
    {.name = "tmpfs",
     .value = "DST[:SIZE]",
     .help = "An empty directory in memory at DST; repeatable",
     .example = "/cache:128m",
     .apply = kInto<AddTmpfs>},
    {.name = "noexec",
     .help = "Nothing that can be written can be executed",
     .apply = kInto<PutTrue<CreateOptions, "noexec">>},
    {.name = "read-only",
     .help = "Nothing can be written but in /workspace, homes, /tmp, /var/tmp, /run and mounts",
     .apply = kInto<PutTrue<CreateOptions, "read_only">>},
    {.name = "privileges",
     .value = "WHAT",
     .help = "What root inside may do: none, or root: change owners, modes and users, where the "
             "server allows it (default none)",
     .example = "root",
     .completes = Completes::kWords,
     .words = "none root",
     .apply = kInto<PutText<CreateOptions, "privileges">>},

    kPackagesOption<CreateOptions>,
    kRequirementsOption<CreateOptions>,

    kServerNetOption<CreateOptions>,
    kServerAllowOption<CreateOptions>,
    kServerDenyOption<CreateOptions>,
    kServerDnsOption<CreateOptions>,
    kJoinOption<CreateOptions>,
    kAliasOption<CreateOptions>,
    kPublishOption<CreateOptions>,
    kSecretOption<CreateOptions>,

    InGroup("Limits (defaults are the server's)", kMemoryOption<CreateOptions>),
    kCpusOption<CreateOptions>,
    kPidsOption<CreateOptions>,
    {.name = "disk",
     .value = "SIZE",
     .help = "What can be written in all",
     .example = "1g",
     .apply = kInto<PutParsed<CreateOptions, "disk_limit", &ParseBytes>>},
    {.name = "file-size",
     .value = "SIZE",
     .help = "How large one file can grow (default: the disk limit)",
     .example = "100m",
     .apply = kInto<PutParsed<CreateOptions, "file_size_limit", &ParseBytes>>},
    {.name = "cpu-time",
     .value = "TIME",
     .help = "Processor time of each process, then SIGXCPU",
     .example = "5m",
     .apply = kInto<PutParsed<CreateOptions, "cpu_time_limit", &ParseDuration>>},
    kLimitsFileOption<CreateOptions>,
    kTimeoutOption<CreateOptions>,
    kIdleTimeoutOption<CreateOptions>,
    kOnTimeoutOption<CreateOptions>,
    {.name = "best-effort",
     .help = "Make it even if a limit cannot be enforced there; say which",
     .apply = kInto<PutTrue<CreateOptions, "best_effort">>},

    {.name = "idempotency-key",
     .value = "KEY",
     .help = "A second create with the same key gives the same sandbox",
     .group = "Output",
     .example = "job-17",
     .apply = kText<CreateOptions, &CreateOptions::idempotency_key>},
    kJsonOption<CreateOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the id",
     .apply = kFlag<CreateOptions, &CreateOptions::quiet>},
    kUrlOption<CreateOptions>,
    kApiKeyFileOption<CreateOptions>,
    kContextOption<CreateOptions>,
};

}  // namespace

constinit const Command kCreateCommand = {
    .name = "create",
    .summary = "Make a sandbox on the server, and print its id",
    .usage = "[OPTIONS] [TEMPLATE] [-- COMMAND [ARGUMENT...]]",
    .description =
        "COMMAND starts with the sandbox, and again with each later start. Its end does not end "
        "the sandbox.\n",
    .options = kOptions,
    .examples =
        "cay create\n"
        "cay create --name web --memory 1g --timeout 2h\n"
        "cay create --net pypi --allow api.example.com:443\n"
        "cay create --name web --join app --publish 8080:80\n"
        "cay create --use-entrypoint nginx:1.27\n"
        "cay create --label run=17 --on-timeout stop host\n",
    .max_arguments = SIZE_MAX,
    .completes = Completes::kTemplates,
    .group = "Sandboxes of a server",
    .run = &ParseAndCall<CreateOptions, CreateMain>,
};

}  // namespace cay::cli
