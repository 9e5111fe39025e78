// cay version
#include <boost/json/object.hpp>

#include "cli/client/values.h"
#include "cli/frame/command.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "protocol/messages.h"

namespace cay::cli {
namespace {

struct VersionOptions {
  bool json = false;
};

Result<int> VersionMain(VersionOptions& options, Positionals&) {
  const boost::json::object version{{"version", CAY_VERSION},
                                    {"guest_protocol", protocol::kProtocolVersion}};
  TRY(Print(options.json ? PrettyJson(version) : "cay " CAY_VERSION "\n"));
  return 0;
}

Result<void> SetFormat(VersionOptions& options, std::string_view value) {
  if (value != "json") return Failure(Error::Invalid("\"" + std::string(value) + "\" is not json"));
  options.json = true;
  return {};
}

constexpr OptionSpec kOptions[] = {
    kJsonOption<VersionOptions>,
    {.name = "format",
     .short_name = 'f',
     .value = "json",
     .help = "The same as --json, as docker's",
     .example = "json",
     .completes = Completes::kWords,
     .words = "json",
     .apply = &Into<VersionOptions, SetFormat>},
};

}  // namespace

constinit const Command kVersionCommand = {
    .name = "version",
    .summary = "Print the version",
    .usage = "[OPTIONS]",
    .options = kOptions,
    .examples = "cay version\ncay version --json\n",
    .run = &ParseAndRun<VersionOptions, VersionMain>,
};

}  // namespace cay::cli
