// What `cay run` looks up on the caller's machine before a sandbox is made for it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/run/run_options.h"
#include "engine/engine.h"
#include "protocol/process_messages.h"
#include "template/store/template_store.h"

namespace cay::cli {

// The mounts with absolute sources, each a directory or regular file that the caller may read (and
// write, for :rw) itself. Errors name the option and say the remedy.
Result<std::vector<engine::Mount>> ResolveMounts(const std::vector<engine::Mount>& mounts);

// Where the volumes are. kNotFound for one that is not there.
Result<std::vector<engine::VolumeMount>> FindVolumes(const std::vector<sandbox::VolumeUse>& uses,
                                                     const Paths& paths);

struct CommandEnv {
  std::vector<std::string> variables;       // "NAME=VALUE"
  std::vector<std::string> of_the_account;  // see StartRequest::account_env
};

// The template's environment, TERM with -t, the env files', and the options', in this order.
// Nothing of the caller's environment except what an option names.
// With secrets: their placeholders. Where requests are intercepted: whom to trust, as far as
// nothing else says so.
Result<CommandEnv> BuildEnv(const RunOptions& options, const templates::Template& base,
                            const std::vector<EnvChange>& secrets, bool intercepted);

engine::CreateRequest BuildCreateRequest(const RunOptions& options, SandboxId id,
                                         const templates::Template& base,
                                         std::vector<engine::Mount> mounts);

// What is run: the command that was given; without one the image's entrypoint and command, as
// `docker run IMAGE`. With --entrypoint that program and the command as its arguments, with
// --use-entrypoint the image's. kInvalidArgument when there is nothing.
Result<TypedCommand> CommandOf(const RunOptions& options, const templates::Template& base);

protocol::StartRequest BuildStartRequest(const RunOptions& options, const templates::Template& base,
                                         const TypedCommand& command, CommandEnv env,
                                         bool pass_stdin);

}  // namespace cay::cli
