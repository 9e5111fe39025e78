// cay version
#include "cli/command.h"
#include "cli/console.h"

namespace cay::cli {
namespace {

Result<int> VersionMain(NoOptions&, Positionals&) {
  TRY(Print("cay " CAY_VERSION "\n"));
  return 0;
}

}  // namespace

constinit const Command kVersionCommand = {
    .name = "version",
    .summary = "Print the version",
    .usage = "",
    .examples = "cay version\n",
    .run = &ParseAndRun<NoOptions, VersionMain>,
};

}  // namespace cay::cli
