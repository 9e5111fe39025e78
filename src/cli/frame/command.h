// Command: one subcommand of `cay`, declared once as data. Parsing, `--help`, "did you mean" and
// the shells' completions are all made from it, so there is no second list of options anywhere.
//
//   struct GcOptions { bool dry_run = false; };
//   constexpr OptionSpec kOptions[] = {
//       {.name = "dry-run", .help = "Only say what would be removed",
//        .apply = Into<GcOptions, [](GcOptions& o, std::string_view) { o.dry_run = true; return
//        Ok(); }>},
//   };
//   Result<int> GcMain(GcOptions& options, Positionals& rest) { …; return 0; }   // the exit code
//   constinit const Command kGcCommand = {
//       .name = "gc", .summary = "Remove what a crash left behind", .usage = "[OPTIONS]",
//       .options = kOptions, .examples = "cay gc --dry-run\n", .run = &ParseAndRun<GcOptions,
//       GcMain>};
//
// Everything here is single-threaded, and pure, except for Dispatch and ParseAndRun, which print
// --help.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::cli {

// Exit codes of `cay` itself. `cay run` otherwise exits as its command did.
inline constexpr int kExitTimeout = 124;
inline constexpr int kExitFailure = 125;  // Cay's own failure; also of every other subcommand
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitSignalBase = 128;  // + the signal's number

// What a shell completes after an option or as an argument.
enum class Completes : uint8_t {
  kNothing,
  kFiles,
  kDirectories,
  kTemplates,     // names, asked of `cay template list --quiet`
  kPrograms,      // a command line
  kSandboxes,     // ids and names, asked of `cay ls`
  kContexts,      // names, asked of `cay context list --quiet`
  kSubcommands,   // of `cay`
  kWords,         // the `words` beside it
  kEnvironments,  // names, asked of `cay env ls --quiet`
};

struct OptionSpec {
  std::string_view name;       // without "--"
  char short_name = 0;         // 0: none
  std::string_view value{};    // "SIZE"; empty: a flag
  std::string_view help;       // one line, no full stop
  std::string_view group{};    // heading in --help; empty: that of the option before
  std::string_view example{};  // a good value, for error messages
  Completes completes = Completes::kNothing;
  std::string_view words{};  // for kWords: separated by spaces
  // Puts the value (empty for a flag) into the command's options struct.
  Result<void> (*apply)(void* options, std::string_view value) = nullptr;
};

// Makes an OptionSpec::apply from a function or a captureless lambda over the typed struct.
template <class Options, auto kApply>
Result<void> Into(void* options, std::string_view value) {
  return kApply(*static_cast<Options*>(options), value);
}
inline Result<void> Ok() { return {}; }

using Arguments = std::span<const char* const>;  // after the command's name

struct Command {
  std::string_view name;
  std::string_view summary;        // one line, no full stop
  std::string_view usage;          // what follows the name: "[OPTIONS] NAME"
  std::string_view description{};  // paragraphs for --help, wrapped at 100 columns
  std::span<const OptionSpec> options{};
  std::string_view examples{};  // lines, each a command with or without a "# comment"
  size_t min_arguments = 0;
  size_t max_arguments = 0;
  Completes completes = Completes::kNothing;  // its arguments
  std::string_view words{};                   // for kWords
  // Options end at the first argument that is not an option (`cay run ls -l`), as in `docker run`.
  bool options_first = false;
  // With a `run` beside them the command alone does something, too.
  std::span<const Command* const> subcommands{};
  std::string_view group{};  // heading among its siblings in --help; empty: that of the one before
  // Parses, acts, and gives the exit code. `path` is "cay gc".
  Result<int> (*run)(const Command& command, std::string_view path, Arguments arguments) = nullptr;
};

struct Positionals {
  std::vector<std::string> values;
  bool after_separator = false;  // "--" stood before the first of them
  // How many stood before the "--"; all of them where there was none.
  size_t before_separator = 0;
  bool help = false;  // --help or -h was given: nothing else was looked at after it
};

// Applies every option to `options` and gives back the other arguments. Understands --name value,
// --name=value, -n value, -nvalue, -n=value, joined flags (-it) and "--". Each error is
// kInvalidArgument, names the option, and suggests the nearest one where there is one.
Result<Positionals> ParseArguments(const Command& command, Arguments arguments, void* options);

// kInvalidArgument unless the number of arguments is what the command takes.
Result<void> CheckCount(const Command& command, std::string_view path, const Positionals& rest);

// Finds the subcommand that the arguments begin with, down to one that runs, and runs it. Without
// one: the help, as docker's.
Result<int> Dispatch(const Command& command, std::string_view path, Arguments arguments);

// The text of --help; `path` is "cay run".
std::string HelpText(const Command& command, std::string_view path);

Result<int> PrintHelp(const Command& command, std::string_view path);

// Command::run for a function over a typed options struct.
template <class Options, Result<int> (*kMain)(Options& options, Positionals& rest)>
Result<int> ParseAndRun(const Command& command, std::string_view path, Arguments arguments) {
  Options options;
  Positionals rest = TRY(ParseArguments(command, arguments, &options));
  if (rest.help) return PrintHelp(command, path);
  TRY(CheckCount(command, path, rest));
  return kMain(options, rest);
}

struct NoOptions {};

extern const Command kRunCommand;  // run_command.cc
extern const Command kEnvCommand;  // env_command.cc
extern const Command kNetCommand;
extern const Command kServeCommand;        // serve_command.cc
extern const Command kConfigCommand;       // config_command.cc
extern const Command kCreateCommand;       // create_command.cc
extern const Command kAdoptCommand;        // adopt_command.cc
extern const Command kListCommand;         // list_command.cc
extern const Command kInspectCommand;      //
extern const Command kExecCommand;         // exec_command.cc
extern const Command kShellCommand;        //
extern const Command kAttachCommand;       //
extern const Command kCopyCommand;         // copy_command.cc
extern const Command kFilesCommand;        // files_command.cc
extern const Command kPortCommand;         // port_command.cc
extern const Command kEventsCommand;       // events_command.cc
extern const Command kHealthCommand;       // health_command.cc
extern const Command kNetworkCommand;      // network_command.cc
extern const Command kFlowsCommand;        // likewise
extern const Command kStatsCommand;        // system_commands.cc
extern const Command kTopCommand;          //
extern const Command kSystemCommand;       //
extern const Command kSystemDfCommand;     // space_commands.cc
extern const Command kSystemPruneCommand;  //
extern const Command kKeysCommand;         // keys_command.cc
extern const Command kSecretsCommand;      // secrets_command.cc
extern const Command kContextCommand;      // context_command.cc
extern const Command kLogsCommand;         // logs_command.cc
extern const Command kKillCommand;         // process_commands.cc
extern const Command kWaitCommand;         //
extern const Command kStartCommand;        // lifecycle_commands.cc
extern const Command kStopCommand;         //
extern const Command kPauseCommand;        //
extern const Command kResumeCommand;       //
extern const Command kResetCommand;        //
extern const Command kRestartCommand;      //
extern const Command kRenameCommand;       //
extern const Command kRmCommand;           //
extern const Command kExtendCommand;       //
extern const Command kSnapshotCommand;     // snapshot_commands.cc
extern const Command kSnapshotsCommand;    //
extern const Command kRestoreCommand;      //
extern const Command kUpdateCommand;       // update_command.cc
extern const Command kPsCommand;           // ps_command.cc
extern const Command kGcCommand;           // gc_command.cc
extern const Command kTemplateCommand;     // template_command.cc
extern const Command kVolumeCommand;       // volume_command.cc
extern const Command kDoctorCommand;       // doctor_command.cc
extern const Command kCompletionCommand;   // completion_command.cc
extern const Command kVersionCommand;      // version_command.cc
extern const Command kHelpCommand;         // help_command.cc

// All of them, in the order of `cay --help`.
extern const Command kRootCommand;  // main_command.cc

}  // namespace cay::cli
