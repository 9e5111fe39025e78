// cay env: its options, and which environments there are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/string_map.h"
#include "cli/frame/command.h"
#include "cli/frame/option_tables.h"
#include "cli/network/network_options.h"
#include "cli/pulls/registry_options.h"
#include "cli/steps/build_printer.h"
#include "network/policy/policy.h"
#include "template/store/template_store.h"

namespace cay::cli {

struct EnvOptions {
  std::string from;  // a directory of recipes; empty: what CAY_ENVIRONMENTS_DIRECTORY says
  std::string state_dir;
  bool all = false;
  bool json = false;
  bool quiet = false;
};

struct EnvBuildOptions : EnvOptions {
  StringMap build_args;
  bool no_cache = false;
  bool pull = false;
  BuildProgress progress = BuildProgress::kAuto;
  bool has_net = false;  // otherwise the presets of the recipe
  network::Spec network;
  Ways ways;
  std::vector<std::string> authorities;
  RegistryOptions registry;
};

// The templates of this machine, with the environments that the options name
// (TemplateStore::environments).
Result<templates::TemplateStore> OpenEnvironments(const EnvOptions& options);

// Those of the command line, by name or alias, each once; kInvalidArgument with the names that
// there are. With --all: all of them.
Result<std::vector<const templates::Environment*>> EnvironmentsOf(
    const templates::Environments& all, const EnvOptions& options,
    const std::vector<std::string>& names);

template <class Options>
constexpr OptionSpec kFromOption = {
    .name = "from",
    .value = "DIR",
    .help = "Recipes (NAME.Dockerfile) of DIR, too (default CAY_ENVIRONMENTS_DIRECTORY)",
    .example = "./environments",
    .completes = Completes::kDirectories,
    .apply = &Into<Options, [](Options& o, std::string_view value) {
      return SetText<&EnvOptions::from>(static_cast<EnvOptions&>(o), value);
    }>};

template <class Options>
constexpr OptionSpec kAllEnvironmentsOption = {
    .name = "all", .help = "All of them", .apply = kFlag<Options, &Options::all>};

extern const Command kEnvBuildCommand;
Result<int> EnvBuildMain(EnvBuildOptions& options, Positionals& rest);
Result<int> EnvTestMain(EnvOptions& options, Positionals& rest);

}  // namespace cay::cli
