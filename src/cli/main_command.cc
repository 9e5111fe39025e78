// The table of all subcommands.
#include "cli/frame/command.h"

namespace cay::cli {
namespace {

constexpr const Command* kCommands[] = {
    &kRunCommand,       &kPsCommand,      &kGcCommand,      &kTemplateCommand,   &kEnvCommand,
    &kVolumeCommand,    &kDoctorCommand,  &kNetCommand,     &kSecretsCommand,    &kCreateCommand,
    &kListCommand,      &kExecCommand,    &kShellCommand,   &kCopyCommand,       &kRmCommand,
    &kInspectCommand,   &kStartCommand,   &kStopCommand,    &kPauseCommand,      &kResumeCommand,
    &kRestartCommand,   &kRenameCommand,  &kUpdateCommand,  &kResetCommand,      &kSnapshotCommand,
    &kSnapshotsCommand, &kRestoreCommand, &kExtendCommand,  &kFilesCommand,      &kLogsCommand,
    &kAttachCommand,    &kKillCommand,    &kWaitCommand,    &kServeCommand,      &kConfigCommand,
    &kEventsCommand,    &kHealthCommand,  &kStatsCommand,   &kTopCommand,        &kNetworkCommand,
    &kFlowsCommand,     &kSystemCommand,  &kKeysCommand,    &kPortCommand,       &kContextCommand,
    &kAdoptCommand,     &kHelpCommand,    &kVersionCommand, &kCompletionCommand,
};

}  // namespace

constinit const Command kRootCommand = {
    .name = "",
    .summary = "Cay runs code that nobody has vouched for in a sandbox of its own.",
    .usage = "COMMAND [OPTIONS] [ARGUMENTS]",
    .description = {},
    .examples =
        "cay run -- python3 -c 'print(\"hello\")'\n"
        "cay run --copy ./app:app --timeout 30s 'python3 app/main.py'\n"
        "cay run -it -- bash\n"
        "cay create --name web && cay exec web -- python3 --version\n"
        "cay doctor\n"
        "cay help run          # every option of a command\n",
    .subcommands = kCommands,
};

}  // namespace cay::cli
