// Options that mean the same for every command that builds: cay template build, cay env build.
//
//   struct Options { StringMap build_args; bool pull, no_cache; BuildProgress progress;
//                    std::vector<std::string> authorities; };
#pragma once

#include <string_view>
#include <utility>

#include "cli/frame/argument_values.h"
#include "cli/frame/option_tables.h"
#include "cli/steps/build_printer.h"

namespace cay::cli {

template <class Options>
Result<void> AddBuildArg(Options& options, std::string_view value) {
  EnvChange change = TRY(ParseEnv(value, &LookupEnvironment));
  if (change.value) options.build_args[change.name] = *std::move(change.value);
  return {};
}

template <class Options>
constexpr OptionSpec kBuildArgOption = {
    .name = "build-arg",
    .value = "NAME[=VALUE]",
    .help = "What an ARG gets; NAME alone passes on the caller's variable; repeatable",
    .example = "VERSION=1.2",
    .apply = &Into<Options, &AddBuildArg<Options>>};

template <class Options>
constexpr OptionSpec kPullBasesOption = {
    .name = "pull",
    .help = "Look again in their registries what the images of FROM are now",
    .apply = kFlag<Options, &Options::pull>};

template <class Options>
constexpr OptionSpec kNoCacheOption = {
    .name = "no-cache", .help = "Do every step again", .apply = kFlag<Options, &Options::no_cache>};

template <class Options>
constexpr OptionSpec kProgressOption = {
    .name = "progress",
    .value = "HOW",
    .help = "auto, plain (every line of output), bar, or quiet (default auto)",
    .example = "plain",
    .completes = Completes::kWords,
    .words = "auto plain bar quiet",
    .apply = kParsed<Options, &Options::progress, ParseBuildProgress>};

template <class Options>
constexpr OptionSpec kStepAuthorityOption = {
    .name = "ca",
    .value = "FILE",
    .help = "Steps trust the authorities in FILE (PEM), too, while they run; repeatable",
    .example = "./ca.pem",
    .completes = Completes::kFiles,
    .apply = [](void* options, std::string_view value) -> Result<void> {
      static_cast<Options*>(options)->authorities.emplace_back(value);
      return {};
    }};

}  // namespace cay::cli
