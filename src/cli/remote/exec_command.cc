// cay exec, cay sh, cay attach: a command in a sandbox of the server's, joined to the caller.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/env_options.h"
#include "cli/frame/terminal_mode.h"
#include "cli/session/output_session.h"
#include "cli/session/process_output.h"
#include "cli/session/terminal_session.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using std::string_view;

// As long as cay run gives a person at a terminal.
constexpr string_view kTerminalTimeout = "1h";
constexpr string_view kShell = "if command -v bash >/dev/null; then exec bash; else exec sh; fi";

struct ExecOptions : ServerOptions {
  bool interactive = false;
  bool tty = false;
  bool no_input = false;
  bool detach = false;
  std::vector<std::string> env;
  std::vector<std::string> env_files;
  std::string workdir;
  std::string user;
  std::string timeout;
  std::string kill_grace;
  std::string cpu_time;
  std::string tag;
};

struct AttachOptions : ServerOptions {
  bool no_input = false;
  std::optional<uint64_t> from;
};

// A pipe or a file is passed on, a terminal when it is asked for, /dev/null never.
bool PassesInput(bool asked) {
  struct stat info{};
  if (asked) return true;
  return ::fstat(STDIN_FILENO, &info) == 0 && !S_ISCHR(info.st_mode);
}

Result<json::object> BuildRequest(const ExecOptions& options, const TypedCommand& command,
                                  bool input) {
  json::object request;
  if (command.shell.empty()) {
    json::array arguments;
    for (const std::string& argument : command.argv) arguments.push_back(NameValue(argument));
    request["command"] = std::move(arguments);
  } else {
    request["command"] = NameValue(command.shell);
  }
  json::object env = TRY(EnvObject(options.env_files, options.env));
  if (options.tty && !env.contains("TERM"))
    env["TERM"] = LookupEnvironment("TERM").value_or("xterm");
  for (auto& variable : env) {
    if (variable.value().is_string()) variable.value() = NameValue(variable.value().get_string());
  }
  if (!env.empty()) request["env"] = std::move(env);
  if (!options.workdir.empty()) request["workdir"] = NameValue(options.workdir);
  if (!options.user.empty()) request["user"] = options.user;
  if (!options.tag.empty()) request["tag"] = options.tag;
  if (!options.timeout.empty()) request["timeout"] = options.timeout;
  if (!options.kill_grace.empty()) request["kill_grace"] = options.kill_grace;
  if (!options.cpu_time.empty()) request["cpu_time"] = options.cpu_time;
  if (input) request["stdin"] = true;
  if (options.tty) {
    const WindowSize window = CallersWindow().value_or(WindowSize());
    request["terminal"] = {{"rows", window.rows}, {"columns", window.columns}};
    if (options.timeout.empty() && !options.detach) request["timeout"] = kTerminalTimeout;
  }
  return request;
}

Result<int> Join(ApiClient& api, const AttachRequest& request, bool terminal) {
  if (!terminal) return RunOutputSession(api, request);
  const TerminalEnd end = TRY(RunTerminalSession(api, request));
  if (end.detached && end.exit_code == 0) {
    Note("detached; it runs on: cay attach --from " + std::to_string(end.position) + " " +
         request.sandbox + " " + request.process);
  }
  return end.exit_code;
}

Result<int> Execute(ApiClient& api, const ExecOptions& options, const std::string& sandbox,
                    const TypedCommand& command) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string id = TRY(api.ResolveSandbox(sandbox));
  const bool input =
      !options.detach && !options.no_input && PassesInput(options.interactive || options.tty);
  if (!options.detach && !input && !options.tty) {
    const json::object request = TRY(BuildRequest(options, command, false));
    std::string body = TRY(JsonBody(request));
    return RunOutputSession(api, {.sandbox = id,
                                  .process = "",
                                  .execute = std::move(body),
                                  .from = 0,
                                  .quiet = options.quiet});
  }
  json::object start = TRY(BuildRequest(options, command, input));
  if (!options.detach) start["background"] = false;
  const json::object process = TRY(api.Call("POST", SandboxPath(id, "/processes"), start));
  if (options.detach) {
    TRY(Print(options.json ? PrettyJson(process) : ProcessIdOf(process) + "\n"));
    return 0;
  }
  const AttachRequest request{.sandbox = id,
                              .process = ProcessIdOf(process),
                              .from = 0,
                              .input = input,
                              .quiet = options.quiet};
  return Join(api, request, options.tty);
}

Result<int> ExecMain(ApiClient& api, ExecOptions& options, Positionals& rest) {
  const std::string sandbox = rest.values.front();
  std::vector<std::string> argv(rest.values.begin() + 1, rest.values.end());
  const bool separated = !argv.empty() && argv.front() == "--";
  if (separated) argv.erase(argv.begin());
  const TypedCommand command = ShellRule(std::move(argv), separated || rest.after_separator);
  if (command.empty()) {
    return Failure(Error::Invalid("no command was given")
                       .WithRemedy("as in cay exec " + sandbox + " -- ls, or cay sh " + sandbox));
  }
  if (options.json && !options.detach) {
    return Failure(Error::Invalid("--json is only for --detach")
                       .WithRemedy("leave it out, or use the API's execute"));
  }
  if (options.detach && options.interactive && !options.tty) {
    return Failure(Error::Invalid("-d and -i: a command in the background has no input")
                       .WithRemedy("leave one of them out, or add -t, for cay attach"));
  }
  if (!options.detach) TRY(CheckCallersInput(options.interactive, options.tty, options.no_input));
  return Execute(api, options, sandbox, command);
}

Result<int> ShellMain(ApiClient& api, ExecOptions& options, Positionals& rest) {
  options.tty = ::isatty(STDIN_FILENO) == 1;
  return Execute(api, options, rest.values.front(),
                 {.argv = {"sh", "-c", std::string(kShell)}, .shell = ""});
}

Result<int> AttachMain(ApiClient& api, AttachOptions& options, Positionals& rest) {
  ::signal(SIGPIPE, SIG_IGN);
  const std::string id = TRY(api.ResolveSandbox(rest.values[0]));
  const json::object process = TRY(api.Get(ProcessPath(id, rest.values[1])));
  const json::value* terminal = process.if_contains("terminal");
  const bool has_terminal =
      terminal != nullptr && (terminal->is_object() || FlagOf(process, "terminal"));
  const AttachRequest request{.sandbox = id,
                              .process = rest.values[1],
                              // Of a terminal all that is held, so that its place is known.
                              .from = has_terminal && !options.from ? 0 : options.from,
                              .replay = true,
                              .input = !options.no_input && PassesInput(has_terminal),
                              .quiet = options.quiet};
  return Join(api, request, has_terminal);
}

// Exits as the command did, so a failure of Cay's own is 125 and not 1.
template <class Options, Result<int> (*kMain)(ApiClient& api, Options& options, Positionals& rest)>
Result<int> ParseAndExecute(const Command& command, std::string_view path, Arguments arguments) {
  return ParseAndRun<Options, CallServer<Options, kMain>>(command, path, arguments);
}

Result<void> SetFrom(AttachOptions& options, string_view value) {
  options.from = TRY(ParseUnsigned(value));
  return {};
}

constexpr OptionSpec kInteractive = {
    .name = "interactive",
    .short_name = 'i',
    .help = "Pass standard input on even from a terminal (a pipe or file always is)",
    .apply = kFlag<ExecOptions, &ExecOptions::interactive>};
constexpr OptionSpec kEnv = {
    .name = "env",
    .short_name = 'e',
    .value = "NAME[=VALUE]",
    .help = "Set a variable; NAME alone passes on the caller's value; repeatable",
    .example = "MODE=test",
    .apply = &Into<ExecOptions, AddEnv<ExecOptions>>};
constexpr OptionSpec kWorkdir = WorkdirOption("Working directory inside (default the sandbox's)",
                                              kText<ExecOptions, &ExecOptions::workdir>);
constexpr OptionSpec kUser = UserOption("Name, uid or uid:gid inside (default the sandbox's)",
                                        kText<ExecOptions, &ExecOptions::user>);
constexpr OptionSpec kTimeout = {
    .name = "timeout",
    .value = "TIME",
    .help = "End it after this time, exit 124 (default the server's, with a terminal 1h)",
    .example = "30s",
    .apply = kText<ExecOptions, &ExecOptions::timeout>};

constexpr OptionSpec kKillGrace = {
    .name = "kill-grace",
    .value = "TIME",
    .help = "From SIGTERM at the timeout to SIGKILL (default the server's, 2s)",
    .example = "10s",
    .apply = kText<ExecOptions, &ExecOptions::kill_grace>};

constexpr OptionSpec kCpuTime = {
    .name = "cpu-time",
    .value = "TIME",
    .help = "Processor time of each process, then SIGXCPU (default the sandbox's)",
    .example = "5m",
    .apply = kText<ExecOptions, &ExecOptions::cpu_time>};

constexpr OptionSpec kExecOptions[] = {
    kInteractive,
    {.name = "no-stdin",
     .short_name = 'n',
     .help = "Do not pass standard input on: the command reads end of file",
     .apply = kFlag<ExecOptions, &ExecOptions::no_input>},
    {.name = "tty",
     .short_name = 't',
     .help = "Give the command a terminal; ctrl-p ctrl-q leaves it running",
     .apply = kFlag<ExecOptions, &ExecOptions::tty>},
    {.name = "detach",
     .short_name = 'd',
     .help = "Let it run, and print its process id",
     .apply = kFlag<ExecOptions, &ExecOptions::detach>},
    kEnv,
    EnvFileOption<ExecOptions>(),
    kWorkdir,
    kUser,
    kTimeout,
    kKillGrace,
    kCpuTime,
    {.name = "tag",
     .value = "TEXT",
     .help = "A word of your own, to find the command by in cay ps",
     .example = "tests",
     .apply = kText<ExecOptions, &ExecOptions::tag>},
    kJsonOption<ExecOptions>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the command's own output, and errors",
     .apply = kFlag<ExecOptions, &ExecOptions::quiet>},
    kUrlOption<ExecOptions>,
    kApiKeyFileOption<ExecOptions>,
    kContextOption<ExecOptions>,
};

constexpr OptionSpec kShellOptions[] = {
    kEnv,
    EnvFileOption<ExecOptions>(),
    kWorkdir,
    kUser,
    kTimeout,
    kKillGrace,
    kCpuTime,
    kUrlOption<ExecOptions>,
    kApiKeyFileOption<ExecOptions>,
    kContextOption<ExecOptions>,
};

constexpr OptionSpec kAttachOptions[] = {
    {.name = "from",
     .value = "SEQ",
     .help = "Continue at this sequence number (default the oldest output that is held)",
     .example = "0",
     .apply = &Into<AttachOptions, SetFrom>},
    {.name = "no-stdin",
     .short_name = 'n',
     .help = "Do not pass standard input on",
     .apply = kFlag<AttachOptions, &AttachOptions::no_input>},
    {.name = "quiet",
     .short_name = 'q',
     .help = "Only the command's own output, and errors",
     .apply = kFlag<AttachOptions, &AttachOptions::quiet>},
    kUrlOption<AttachOptions>,
    kApiKeyFileOption<AttachOptions>,
    kContextOption<AttachOptions>,
};

}  // namespace

constinit const Command kExecCommand = {
    .name = "exec",
    .summary = "Run a command in a sandbox and exit as it does",
    .usage = "[OPTIONS] SANDBOX [--] COMMAND [ARG...]",
    .description =
        "Output streams byte for byte, input is passed on when it is no terminal (or with -i or "
        "-t), and\n"
        "signals are passed on. When the connection is lost the stream continues where it "
        "stopped.\n"
        "\n"
        "Exit code: the command's; 128+N when signal N ended it; 124 after --timeout; 125 when "
        "Cay\n"
        "itself or the server failed; 126 and 127 when the command cannot be executed or does not\n"
        "exist. Two ^C kill a command that does not heed the first.\n",
    .options = kExecOptions,
    .examples =
        "cay exec web -- python3 --version\n"
        "cay exec web 'ls | wc -l'\n"
        "tar c src | cay exec web -- tar x\n"
        "cay exec -it web -- bash\n"
        "cay exec -d web -- python3 -m http.server 8000   # prints the process id\n",
    .min_arguments = 1,
    .max_arguments = SIZE_MAX,
    .completes = Completes::kSandboxes,
    .options_first = true,
    .run = &ParseAndExecute<ExecOptions, ExecMain>,
};

constinit const Command kShellCommand = {
    .name = "sh",
    .summary = "Open a shell in a sandbox; ctrl-p ctrl-q leaves it running",
    .usage = "[OPTIONS] SANDBOX",
    .options = kShellOptions,
    .examples = "cay sh web\necho 'ls -l' | cay sh web\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = Completes::kSandboxes,
    .run = &ParseAndExecute<ExecOptions, ShellMain>,
};

constinit const Command kAttachCommand = {
    .name = "attach",
    .summary = "Join a process that runs: its output, input and terminal",
    .usage = "[OPTIONS] SANDBOX PROCESS",
    .options = kAttachOptions,
    .examples = "cay attach web 3\ncay attach --from 4096 web 3   # what came after that byte\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kSandboxes,
    .run = &ParseAndExecute<AttachOptions, AttachMain>,
};

}  // namespace cay::cli
