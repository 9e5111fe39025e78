// cay help [COMMAND…]: the same text as `cay COMMAND --help`.
#include "cli/command.h"

namespace cay::cli {
namespace {

Result<int> HelpMain(NoOptions&, Positionals& rest) {
  std::vector<const char*> arguments;
  for (const std::string& name : rest.values) arguments.push_back(name.c_str());
  arguments.push_back("--help");
  return Dispatch(kRootCommand, "cay", arguments);
}

}  // namespace

constinit const Command kHelpCommand = {
    .name = "help",
    .summary = "Explain a command",
    .usage = "[COMMAND...]",
    .examples = "cay help\ncay help template import\n",
    .max_arguments = 2,
    .completes = Completes::kSubcommands,
    .group = "About Cay",
    .run = &ParseAndRun<NoOptions, HelpMain>,
};

}  // namespace cay::cli
