#include "cli/run/run_setup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "cli/frame/env_options.h"
#include "cli/local/local_survey.h"
#include "sandbox/secrets/trust.h"
#include "template/oci/image_command.h"

namespace cay::cli {
namespace {

Result<engine::Mount> ResolveMount(const engine::Mount& mount) {
  std::string what = "--mount " + mount.source;
  char* real = ::realpath(mount.source.c_str(), nullptr);
  if (real == nullptr) {
    return Failure(
        Error::FromErrno(what).WithRemedy("name a path of this machine that you can see"));
  }
  std::string source(real);
  ::free(real);
  struct stat info{};
  if (::stat(source.c_str(), &info) != 0) return Failure(Error::FromErrno(what));
  if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
    return Failure(Error::Invalid(what + ": it is neither a directory nor a regular file")
                       .WithRemedy("devices, sockets and pipes cannot be mounted"));
  }
  int wanted = R_OK | (S_ISDIR(info.st_mode) ? X_OK : 0) | (mount.read_only ? 0 : W_OK);
  if (::faccessat(AT_FDCWD, source.c_str(), wanted, AT_EACCESS) != 0) {
    return Failure(Error::FromErrno(what).WithRemedy(mount.read_only
                                                         ? "mount what you may read yourself"
                                                         : "mount what you may write yourself"));
  }
  return engine::Mount{std::move(source), mount.target, mount.read_only};
}

}  // namespace

Result<std::vector<engine::Mount>> ResolveMounts(const std::vector<engine::Mount>& mounts) {
  std::vector<engine::Mount> resolved;
  for (const engine::Mount& mount : mounts) resolved.push_back(TRY(ResolveMount(mount)));
  return resolved;
}

Result<std::vector<engine::VolumeMount>> FindVolumes(const std::vector<sandbox::VolumeUse>& uses,
                                                     const Paths& paths) {
  std::vector<engine::VolumeMount> mounts;
  if (uses.empty()) return mounts;
  volume::VolumeStore store = TRY(OpenLocalVolumes(paths));
  for (const sandbox::VolumeUse& use : uses) {
    auto info = store.Get(use.name);
    if (!info && info.error().code() == ErrorCode::kNotFound) {
      return Failure(std::move(info).error().WithRemedy("make it: cay volume create " + use.name));
    }
    TRY(std::move(info));
    mounts.push_back(
        {.directory = store.DirectoryOf(use.name), .target = use.path, .read_only = use.read_only});
  }
  return mounts;
}

Result<CommandEnv> BuildEnv(const RunOptions& options, const templates::Template& base,
                            const std::vector<EnvChange>& secrets, bool intercepted) {
  std::vector<EnvChange> changes;
  if (options.tty) changes.push_back({"TERM", LookupEnvironment("TERM").value_or("xterm")});
  for (EnvChange& change : TRY(EnvChanges(options.env_files, options.env)))
    changes.push_back(std::move(change));
  CommandEnv env;
  for (const std::string_view name : protocol::kAccountVariables) {
    const bool is_chosen = std::ranges::find(changes, name, &EnvChange::name) != changes.end() ||
                           std::ranges::find(base.own_variables, name) != base.own_variables.end();
    if (!is_chosen) {
      env.of_the_account.emplace_back(name);
    }
  }
  if (intercepted) {
    for (const auto& [name, value] : sandbox::TrustVariables(options.read_only)) {
      const bool set = std::ranges::any_of(
          base.env, [&](const std::string& one) { return one.starts_with(name + "="); });
      if (!set && std::ranges::find(changes, name, &EnvChange::name) == changes.end())
        changes.push_back({name, value});
    }
  }
  changes.insert(changes.end(), secrets.begin(), secrets.end());
  env.variables = ApplyEnv(base.env, changes);
  return env;
}

engine::CreateRequest BuildCreateRequest(const RunOptions& options, SandboxId id,
                                         const templates::Template& base,
                                         std::vector<engine::Mount> mounts) {
  engine::CreateRequest request(std::move(id), base.root);
  request.limits = options.limits;
  request.required = options.required;
  request.best_effort = options.best_effort;
  request.hostname = options.hostname;
  request.owner = engine::OwnerFor(options.user.empty() ? base.user : options.user);
  request.mounts = std::move(mounts);
  request.tmpfs = options.tmpfs;
  request.noexec = options.noexec;
  request.read_only = options.read_only;
  request.privileges = options.privileges;
  request.scratch = options.scratch;
  request.label = base.name;
  return request;
}

Result<TypedCommand> CommandOf(const RunOptions& options, const templates::Template& base) {
  const templates::oci::ProcessConfig none;
  const templates::oci::ProcessConfig& image = base.process ? *base.process : none;
  const bool is_plain = !options.command.empty() && !options.use_entrypoint &&
                        options.entrypoint.value_or("").empty();
  if (is_plain) return options.command;
  std::optional<std::vector<std::string>> entrypoint;
  if (options.entrypoint) {
    entrypoint.emplace();
    if (!options.entrypoint->empty()) entrypoint->push_back(*options.entrypoint);
  }
  const std::vector<std::string> typed =
      options.command.shell.empty() ? options.command.argv : std::vector{options.command.shell};
  TypedCommand command;
  command.argv = templates::oci::ImageCommand(image, entrypoint, typed);
  if (!command.argv.empty()) return command;
  return Failure(
      Error::Invalid("no command was given, and the template " + base.name + " does not say one")
          .WithRemedy("as in cay run --template " + base.name + " -- COMMAND"));
}

protocol::StartRequest BuildStartRequest(const RunOptions& options, const templates::Template& base,
                                         const TypedCommand& command, CommandEnv env,
                                         bool pass_stdin) {
  protocol::StartRequest request;
  request.shell = !command.shell.empty();
  request.argv =
      request.shell ? std::vector<std::string>{"/bin/sh", "-c", command.shell} : command.argv;
  request.env = std::move(env.variables);
  request.account_env = std::move(env.of_the_account);
  request.make_directory = true;
  request.cwd = options.workdir.empty() ? base.workdir : options.workdir;
  request.user = options.user.empty() ? base.user : options.user;
  request.stdin_open = pass_stdin;
  if (options.tty) request.terminal.emplace();
  if (const Millis cpu_time = options.cpu_time.value_or(Millis(0)); cpu_time > Millis(0)) {
    request.rlimits.push_back({.kind = protocol::RlimitKind::kCpuSeconds,
                               .value = static_cast<uint64_t>(cpu_time.count()) / 1000});
  }
  return request;
}

}  // namespace cay::cli
