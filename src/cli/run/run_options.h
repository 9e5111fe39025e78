// What `cay run` was asked for: the command line as a value, before anything is done. Made without
// touching the machine (env files and mounts are looked at later, by run_command.cc), so that it is
// tested without a sandbox.
//
//   RunOptions options;
//   Positionals rest = TRY(ParseArguments(kRunCommand, arguments, &options));
//   options.command = ShellRule(rest.values, rest.after_separator);
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/command.h"
#include "cli/network/network_options.h"
#include "cli/packages/packages_here.h"
#include "cli/pulls/local_pull.h"
#include "cli/run/run_secrets.h"
#include "engine/engine.h"
#include "network/policy/policy.h"

namespace cay::cli {

struct RunOptions {
  std::string template_name = "host";
  engine::Limits limits;
  engine::LimitSet required;           // the limits that were named
  std::optional<Millis> cpu_time;      // of each process; 0: any; not given: any
  std::string limits_file;             // the file with the other limits
  std::optional<Millis> timeout;       // 0: none; not given: CommandTimeout decides
  Millis kill_grace{2000};             // from SIGTERM to SIGKILL, once its time is over
  std::vector<std::string> env;        // as typed, in order
  std::vector<std::string> env_files;  // paths, read before `env` is applied
  std::string workdir;                 // empty: the template's
  std::string user;                    // empty: the template's
  std::vector<engine::Mount> mounts;   // sources as typed
  std::vector<sandbox::VolumeUse> volumes;
  std::vector<Transfer> copies;  // machine to sandbox, before the command
  std::vector<Transfer> outs;    // sandbox to machine, after it
  std::vector<engine::Tmpfs> tmpfs;
  network::Spec network;
  std::vector<std::string> publish;  // network::PublishRule
  std::vector<RunSecret> secrets;
  std::vector<std::string> authorities;  // files: whom to trust when secrets are sent
  Ways ways;
  bool interactive = false;
  bool no_input = false;
  bool tty = false;
  bool noexec = false;
  bool read_only = false;
  Privileges privileges = Privileges::kNone;
  std::string hostname = "cay";
  engine::Scratch scratch = engine::Scratch::kAuto;
  bool best_effort = false;
  bool json = false;
  bool timing = false;
  bool quiet = false;
  std::string state_dir;  // empty: as base/os/paths.h says
  TypedCommand command;   // empty: what the template's image says
  PullWhen pull = PullWhen::kMissing;
  PackageOptions packages;                // that the template is to have, too
  std::optional<std::string> entrypoint;  // instead of the image's; empty: none
  bool use_entrypoint = false;            // the image's, before the command that was given
};

// 300 s for a program, an hour at a terminal (where a person is), or what was asked for; 0: none.
Millis CommandTimeout(const RunOptions& options);

// run_command.cc.
Result<int> RunMain(RunOptions& options, Positionals& rest);

// Puts the limits of its file in where no option has named them.
Result<void> ApplyLimitsFile(RunOptions& options);

// Refuses options that contradict each other, and a missing command.
Result<void> CheckRunOptions(const RunOptions& options);

}  // namespace cay::cli
