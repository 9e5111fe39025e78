// cay template build: its options.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/string_map.h"
#include "build/run/step_runner.h"
#include "cli/client/call.h"
#include "cli/frame/command.h"
#include "cli/network/network_options.h"
#include "cli/pulls/registry_options.h"
#include "cli/steps/build_printer.h"
#include "template/oci/platform.h"

namespace cay::cli {

struct BuildOptions : ServerOptions {
  std::string file;               // empty: the context's own
  std::vector<std::string> tags;  // in the form in which templates are kept
  StringMap build_args;
  StringMap labels;
  StringMap secrets;  // contents by their ids
  std::string target;
  std::optional<templates::oci::Platform> platform;
  bool no_cache = false;
  bool pull = false;
  BuildProgress progress = BuildProgress::kAuto;
  build::StepLimits limits;
  bool has_cpus = false;                 // otherwise a step has all
  std::vector<std::string> authorities;  // files
  network::Spec network;
  Ways ways;
  RegistryOptions registry;
  std::string state_dir;
};

extern const Command kTemplateBuildCommand;
Result<int> BuildMain(BuildOptions& options, Positionals& rest);

// "id=ID[,src=FILE][,env=NAME]", as docker's --secret: what the file or variable has; a bare ID is
// the variable or file of that name. kInvalidArgument, and the errors of reading it.
struct TypedSecret {
  std::string id;
  std::string content;
};
Result<TypedSecret> ReadTypedSecret(std::string_view text);

}  // namespace cay::cli
