#include "cli/run/run_options.h"

#include "cli/frame/env_options.h"
#include "cli/frame/limits_file.h"
#include "cli/frame/option_tables.h"
#include "cli/frame/terminal_mode.h"
#include "cli/network/network_options.h"
#include "cli/network/run_ports.h"
#include "cli/packages/package_options.h"
#include "sandbox/rules/spec_rules.h"

namespace cay::cli {
namespace {

using engine::LimitKind;
using std::string_view;

constexpr Millis kDefaultTimeout = std::chrono::seconds(300);
constexpr Millis kDefaultTerminalTimeout = std::chrono::hours(1);
constexpr uint64_t kMaxPids = 1'000'000;

Result<void> SetMemory(RunOptions& o, string_view value) {
  o.limits.memory = TRY(ParseBytes(value));
  o.required.Add(LimitKind::kMemory);
  return {};
}

Result<void> SetCpus(RunOptions& o, string_view value) {
  o.limits.cpus = TRY(ParseCpus(value));
  o.required.Add(LimitKind::kCpus);
  return {};
}

Result<void> SetPids(RunOptions& o, string_view value) {
  uint64_t pids = TRY(ParseUnsigned(value, kMaxPids));
  if (pids == 0) return Failure(Error::Invalid("it must be at least 1"));
  o.limits.pids = static_cast<uint32_t>(pids);
  o.required.Add(LimitKind::kPids);
  return {};
}

Result<void> SetDisk(RunOptions& o, string_view value) {
  o.limits.disk = TRY(ParseBytes(value));
  o.required.Add(LimitKind::kDisk);
  return {};
}

Result<void> SetFileSize(RunOptions& o, string_view value) {
  o.limits.file_size = TRY(ParseBytes(value));
  o.required.Add(LimitKind::kFileSize);
  return {};
}

Result<void> SetOpenFiles(RunOptions& o, string_view value) {
  o.limits.open_files = TRY(ParseUnsigned(value));
  o.required.Add(LimitKind::kOpenFiles);
  return {};
}

Result<void> SetCpuTime(RunOptions& o, string_view value) {
  o.cpu_time = TRY(ParseDuration(value));
  return sandbox::CheckCpuTime(*o.cpu_time, {});
}

Result<void> SetScratch(RunOptions& o, string_view value) {
  if (value == "auto") {
    o.scratch = engine::Scratch::kAuto;
  } else if (value == "disk") {
    o.scratch = engine::Scratch::kDisk;
  } else if (value == "memory") {
    o.scratch = engine::Scratch::kMemory;
  } else {
    return Failure(Error::Invalid("\"" + std::string(value) + "\" is none of auto, disk, memory"));
  }
  return {};
}

template <auto kApply>
constexpr auto kInto = &Into<RunOptions, kApply>;

constexpr auto kSetTimeout = [](RunOptions& o, string_view value) -> Result<void> {
  o.timeout = TRY(ParseDuration(value));
  return {};
};
constexpr auto kSetKillGrace = [](RunOptions& o, string_view value) -> Result<void> {
  o.kill_grace = TRY(ParseDuration(value));
  return {};
};
constexpr auto kSetWorkdir = [](RunOptions& o, string_view value) -> Result<void> {
  o.workdir = TRY(ParseInsidePath(value, "the directory"));
  return {};
};
constexpr auto kSetHostname = [](RunOptions& o, string_view value) -> Result<void> {
  o.hostname = TRY(ParseHostname(value));
  return {};
};

constexpr auto kSetEntrypoint = [](RunOptions& o, string_view value) -> Result<void> {
  o.entrypoint = value;
  return {};
};

constexpr auto kAddPublish = [](RunOptions& o, string_view value) -> Result<void> {
  return AddPublish(o.publish, value);
};

constexpr auto kAddAuthority = [](RunOptions& o, string_view value) -> Result<void> {
  o.authorities.emplace_back(value);
  return {};
};

constexpr auto kSetPrivileges = [](RunOptions& o, string_view value) -> Result<void> {
  const auto privileges = PrivilegesFromName(value);
  if (!privileges)
    return Failure(Error::Invalid("not none or root: \"" + std::string(value) + "\""));
  o.privileges = *privileges;
  return {};
};

// What `docker run` users type, and where it leads here.
constexpr auto kRefuseName = [](RunOptions&, string_view value) -> Result<void> {
  return Failure(Error::Invalid("the sandbox of cay run ends with its command, and has no name")
                     .WithRemedy("cay create --name " + std::string(value) + ", and cay exec " +
                                 std::string(value)));
};
constexpr auto kRefuseDetach = [](RunOptions&, string_view) -> Result<void> {
  return Failure(Error::Invalid("the sandbox of cay run ends with cay run")
                     .WithRemedy("cay create --name NAME, and cay exec -d NAME -- COMMAND"));
};
constexpr auto kIsSoAlready = [](RunOptions&, string_view) -> Result<void> { return {}; };

constexpr OptionSpec kOptions[] = {
    {.name = "template",
     .value = "NAME",
     .help = "What the sandbox starts from (default host; see cay template list)",
     .group = "Sandbox",
     .example = "host",
     .completes = Completes::kTemplates,
     .apply = kText<RunOptions, &RunOptions::template_name>},
    {.name = "pull",
     .value = "WHEN",
     .help = "Pull the image that the template is: always, missing or never (default missing)",
     .example = "always",
     .apply = kParsed<RunOptions, &RunOptions::pull, ParsePullWhen>},
    {.name = "hostname",
     .value = "NAME",
     .help = "Host name inside (default cay)",
     .example = "build",
     .apply = kInto<kSetHostname>},
    {.name = "tmpfs",
     .value = "DST[:SIZE]",
     .help = "An empty directory in memory at DST (default 64m; counts as memory); repeatable",
     .example = "/cache:128m",
     .apply = kAppended<RunOptions, &RunOptions::tmpfs, ParseTmpfs>},
    {.name = "noexec",
     .help = "Nothing that can be written can be executed",
     .apply = kFlag<RunOptions, &RunOptions::noexec>},
    {.name = "read-only",
     .help = "Nothing can be written but in /workspace, homes, /tmp, /var/tmp, /run and mounts",
     .apply = kFlag<RunOptions, &RunOptions::read_only>},
    {.name = "privileges",
     .value = "WHAT",
     .help =
         "What root inside may do: none, or root: change owners, modes and users (default none)",
     .example = "root",
     .completes = Completes::kWords,
     .words = "none root",
     .apply = kInto<kSetPrivileges>},
    {.name = "scratch",
     .value = "WHERE",
     .help = "Where written files live: auto, disk or memory (default auto: disk where it can be)",
     .example = "memory",
     .completes = Completes::kWords,
     .words = "auto disk memory",
     .apply = kInto<SetScratch>},
    {.name = "state-dir",
     .value = "DIR",
     .help = "Where Cay keeps templates and sandboxes",
     .example = "/var/lib/cay",
     .completes = Completes::kDirectories,
     .apply = kText<RunOptions, &RunOptions::state_dir>},

    kPackagesOption<RunOptions>,
    kRequirementsOption<RunOptions>,
    kPackagesAllowOption<RunOptions>,
    kPackagesEnvOption<RunOptions>,
    kPackagesCaOption<RunOptions>,

    {.name = "memory",
     .short_name = 'm',
     .value = "SIZE",
     .help = "Memory of everything inside together, no swap (default 512m)",
     .group = "Limits",
     .example = "512m",
     .apply = kInto<SetMemory>},
    {.name = "cpus",
     .value = "N",
     .help = "Processors, also in parts (default 1)",
     .example = "0.5",
     .apply = kInto<SetCpus>},
    {.name = "pids",
     .value = "N",
     .help = "Processes and threads (default 256)",
     .example = "64",
     .apply = kInto<SetPids>},
    {.name = "disk",
     .value = "SIZE",
     .help = "What can be written in all (default 1g)",
     .example = "1g",
     .apply = kInto<SetDisk>},
    {.name = "file-size",
     .value = "SIZE",
     .help = "How large one file can grow (default: the disk limit)",
     .example = "100m",
     .apply = kInto<SetFileSize>},
    {.name = "cpu-time",
     .value = "TIME",
     .help = "Processor time of each process, then SIGXCPU (default any)",
     .example = "5m",
     .apply = kInto<SetCpuTime>},
    kLimitsFileOption<RunOptions>,
    {.name = "timeout",
     .value = "TIME",
     .help = "End everything after this time, exit 124 (default 300s, with -t 1h; 0: never)",
     .example = "30s",
     .apply = kInto<kSetTimeout>},
    {.name = "kill-grace",
     .value = "TIME",
     .help = "From SIGTERM at the timeout to the end of everything (default 2s; 0: at once)",
     .example = "10s",
     .apply = kInto<kSetKillGrace>},
    {.name = "best-effort",
     .help = "Run even if a named limit cannot be enforced here; say which",
     .apply = kFlag<RunOptions, &RunOptions::best_effort>},

    kNetOption<RunOptions>,
    kAllowOption<RunOptions>,
    kDenyOption<RunOptions>,
    kDnsOption<RunOptions>,
    {.name = "publish",
     .short_name = 'p',
     .value = "[ADDR:]HOST_PORT:PORT",
     .help =
         "A port of this machine (0: a free one; on 127.0.0.1 unless ADDR says otherwise) leads "
         "to this port of it; repeatable",
     .example = "8080:80",
     .apply = kInto<kAddPublish>},
    {.name = "secret",
     .value = "NAME[=HOST,...]",
     .help = "The command gets a placeholder, and hosts the value: of the variable NAME here, or, "
             "without HOST, as cay secrets keeps it; repeatable",
     .example = "API_TOKEN=api.example.com",
     .apply = kAppended<RunOptions, &RunOptions::secrets, ParseRunSecret>},
    {.name = "ca",
     .value = "FILE",
     .help =
         "What is intercepted may have certificates of the authorities in FILE, too; repeatable",
     .example = "./ca.pem",
     .completes = Completes::kFiles,
     .apply = kInto<kAddAuthority>},
    kResolverOption<RunOptions>,
    kProxyOption<RunOptions>,
    kCacheOption<RunOptions>,

    {.name = "entrypoint",
     .value = "PROGRAM",
     .help = "Run this with COMMAND as its arguments, instead of the image's ('': none)",
     .group = "Command",
     .example = "/bin/sh",
     .apply = kInto<kSetEntrypoint>},
    {.name = "use-entrypoint",
     .help = "Run the image's entrypoint with COMMAND as its arguments, as docker does",
     .apply = kFlag<RunOptions, &RunOptions::use_entrypoint>},
    {.name = "interactive",
     .short_name = 'i',
     .help = "Pass standard input on even from a terminal (a pipe or file always is)",
     .apply = kFlag<RunOptions, &RunOptions::interactive>},
    {.name = "no-stdin",
     .short_name = 'n',
     .help = "Do not pass standard input on: the command reads end of file",
     .apply = kFlag<RunOptions, &RunOptions::no_input>},
    {.name = "tty",
     .short_name = 't',
     .help = "Give the command a terminal",
     .apply = kFlag<RunOptions, &RunOptions::tty>},
    {.name = "env",
     .short_name = 'e',
     .value = "NAME[=VALUE]",
     .help = "Set a variable; NAME alone passes on the caller's value; repeatable",
     .example = "MODE=test",
     .apply = kInto<AddEnv<RunOptions>>},
    EnvFileOption<RunOptions>(),
    WorkdirOption("Working directory inside (default the template's: /workspace)",
                  kInto<kSetWorkdir>),
    UserOption("Name, uid or uid:gid inside (default the template's: user, uid 1000)",
               kText<RunOptions, &RunOptions::user>),

    {.name = "mount",
     .short_name = 'v',
     .value = "SRC:DST[:ro|rw]",
     .help = "Show SRC of this machine at DST inside, read-only unless :rw; repeatable",
     .group = "Files",
     .example = "./src:/workspace/src",
     .completes = Completes::kFiles,
     .apply = kAppended<RunOptions, &RunOptions::mounts, ParseMount>},
    {.name = "volume",
     .value = "NAME:DST[:ro]",
     .help = "The volume NAME (cay volume) at DST inside, alone, or with others that only read; "
             "repeatable",
     .example = "data:/data",
     .apply = kAppended<RunOptions, &RunOptions::volumes, ParseVolume>},
    {.name = "copy",
     .value = "SRC:DST",
     .help = "Copy SRC of this machine to DST inside before the command (a directory: what is in "
             "it); repeatable",
     .example = "./app.py:app.py",
     .completes = Completes::kFiles,
     .apply = kAppended<RunOptions, &RunOptions::copies, ParseTransfer>},
    {.name = "out",
     .value = "SRC:DST",
     .help =
         "Copy SRC inside to DST of this machine after the command, even a failed one; repeatable",
     .example = "/workspace/outputs:./outputs",
     .completes = Completes::kFiles,
     .apply = kAppended<RunOptions, &RunOptions::outs, ParseTransfer>},

    {.name = "json",
     .help = "Print one JSON object with output, exit code and use when all is done",
     .group = "Output",
     .apply = kFlag<RunOptions, &RunOptions::json>},
    {.name = "timing",
     .help = "Say on standard error how long each stage took",
     .apply = kFlag<RunOptions, &RunOptions::timing>},
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the command's own output, and errors",
     .apply = kFlag<RunOptions, &RunOptions::quiet>},

    {.name = "rm",
     .help = "Always so: nothing of the sandbox stays",
     .group = "Of docker run",
     .apply = kInto<kIsSoAlready>},
    {.name = "name",
     .value = "NAME",
     .help = "Not here: see cay create --name",
     .example = "web",
     .apply = kInto<kRefuseName>},
    {.name = "detach",
     .short_name = 'd',
     .help = "Not here: see cay create, and cay exec -d",
     .apply = kInto<kRefuseDetach>},
};

}  // namespace

constinit const Command kRunCommand = {
    .name = "run",
    .summary = "Run a command in a fresh sandbox and exit as it does",
    .usage = "[OPTIONS] [--] COMMAND [ARG...]",
    .description =
        "The command sees the template's files, a writable layer of its own, no network or what "
        "--net\n"
        "and --allow say, and nothing of this machine's environment. Its output streams as it "
        "comes,\n"
        "its input is passed on when it is not a terminal (or with -i or -t), signals are passed "
        "on,\n"
        "and when it ends everything ends with it. One string with spaces and no \"--\" is a line "
        "for\n"
        "the shell: cay run 'ls | wc'.\n"
        "\n"
        "Exit code: the command's; 128+N when signal N ended it; 124 after --timeout; 125 when "
        "Cay\n"
        "itself failed; 126 and 127 when the command cannot be executed or does not exist. Two ^C\n"
        "end a command that does not heed the first.\n",
    .options = kOptions,
    .examples =
        "cay run -- python3 -c 'print(\"hello\")'\n"
        "cay run 'python3 --version && node --version'\n"
        "echo 'print(6 * 7)' | cay run -- python3 -\n"
        "cay run --copy ./app:app --out report.xml:. -- sh -c 'cd app && pytest --junitxml "
        "../report.xml'\n"
        "cay run --net pypi -- sh -c 'pip install --user requests && python3 app.py'\n"
        "cay run -p 8080:8000 -- python3 -m http.server 8000\n"
        "cay run --memory 256m --cpus 0.5 --timeout 10s --json -- node untrusted.js\n"
        "cay run -it --mount .:/workspace/src --workdir /workspace/src -- bash\n",
    .max_arguments = SIZE_MAX,
    .completes = Completes::kPrograms,
    .options_first = true,
    .group = "On this machine, without a server",
    .run = &ParseAndRun<RunOptions, RunMain>,
};

Millis CommandTimeout(const RunOptions& options) {
  if (options.timeout) return *options.timeout;
  return options.tty ? kDefaultTerminalTimeout : kDefaultTimeout;
}

Result<void> ApplyLimitsFile(RunOptions& options) {
  struct Limit {
    string_view name;
    std::optional<LimitKind> kind;  // nothing: processor time, which is no limit of the engine's
    Result<void> (*set)(RunOptions& o, string_view value);
  };
  static constexpr std::array<Limit, kLimitNames.size()> kLimits = {
      {{"memory_limit", LimitKind::kMemory, &SetMemory},
       {"cpu_limit", LimitKind::kCpus, &SetCpus},
       {"pids_limit", LimitKind::kPids, &SetPids},
       {"disk_limit", LimitKind::kDisk, &SetDisk},
       {"open_files_limit", LimitKind::kOpenFiles, &SetOpenFiles},
       {"file_size_limit", LimitKind::kFileSize, &SetFileSize},
       {"cpu_time_limit", std::nullopt, &SetCpuTime}}};
  if (options.limits_file.empty()) return {};
  const engine::LimitSet named = options.required;
  for (const LimitLine& line : TRY(ReadLimitsFile(options.limits_file))) {
    const Limit& limit = *std::ranges::find(kLimits, line.name, &Limit::name);
    if (limit.kind ? named.Contains(*limit.kind) : options.cpu_time.has_value()) continue;
    if (auto set = limit.set(options, line.value); !set) {
      return Failure(WrongLimit(options.limits_file, line, std::move(set).error()));
    }
  }
  return {};
}

Result<void> CheckRunOptions(const RunOptions& options) {
  if (options.use_entrypoint && options.entrypoint)
    return Failure(Error::Invalid("--entrypoint is instead of what --use-entrypoint is of"));
  // An image may say what is run: that is seen when it is here.
  if (options.command.empty() && !options.entrypoint && options.template_name == "host") {
    return Failure(Error::Invalid("no command was given")
                       .WithRemedy("as in cay run -- python3 app.py, or cay run -it -- bash"));
  }
  if (!options.command.empty() && options.command.shell.empty() &&
      options.command.argv.front().empty()) {
    return Failure(Error(ErrorCode::kCommandNotFound, Fault::kCaller, "the command's name is empty")
                       .WithRemedy("as in cay run -- python3 app.py"));
  }
  if (options.json && options.tty) {
    return Failure(
        Error::Invalid("--json and --tty: the output of a terminal cannot be part of a JSON object")
            .WithRemedy("leave one of them out"));
  }
  return CheckCallersInput(options.interactive, options.tty, options.no_input);
}

}  // namespace cay::cli
