// cay help [COMMAND…]: the same text as `cay COMMAND --help`.
#include <algorithm>

#include "cli/frame/command.h"

namespace cay::cli {
namespace {

Result<int> HelpMain(NoOptions&, Positionals& rest) {
  std::vector<const char*> arguments;
  const Command* command = &kRootCommand;
  for (const std::string& name : rest.values) {
    // What follows a command is that command's, which would do it.
    if (command->subcommands.empty()) break;
    arguments.push_back(name.c_str());
    const auto found = std::ranges::find(command->subcommands, name, &Command::name);
    if (found == command->subcommands.end()) break;
    command = *found;
  }
  arguments.push_back("--help");
  return Dispatch(kRootCommand, "cay", arguments);
}

}  // namespace

constinit const Command kHelpCommand = {
    .name = "help",
    .summary = "Explain a command",
    .usage = "[COMMAND...]",
    .examples = "cay help\ncay help template import\n",
    .max_arguments = SIZE_MAX,
    .completes = Completes::kSubcommands,
    .options_first = true,
    .group = "About Cay",
    .run = &ParseAndRun<NoOptions, HelpMain>,
};

}  // namespace cay::cli
