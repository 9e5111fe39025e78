#include "cli/environments/env_options.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/text.h"
#include "cli/builds/build_here.h"
#include "cli/builds/shared_options.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"

namespace cay::cli {
namespace {

using templates::Environment;
using templates::Environments;

Result<void> AddNetwork(EnvBuildOptions& o, std::string_view value) {
  o.has_net = true;
  return AddNet(o.network, value);
}

constexpr OptionSpec NetOption() {
  OptionSpec option = kNetOption<EnvBuildOptions>;
  option.help =
      "What steps reach: none, open, or presets (default those of the recipe); repeatable";
  option.apply = &Into<EnvBuildOptions, AddNetwork>;
  return option;
}

constexpr OptionSpec kBuildOptions[] = {
    kAllEnvironmentsOption<EnvBuildOptions>,
    kFromOption<EnvBuildOptions>,
    kBuildArgOption<EnvBuildOptions>,
    kPullBasesOption<EnvBuildOptions>,
    kNoCacheOption<EnvBuildOptions>,
    kProgressOption<EnvBuildOptions>,
    kQuietOption<EnvBuildOptions>,
    kJsonOption<EnvBuildOptions>,
    NetOption(),
    kAllowOption<EnvBuildOptions>,
    kDenyOption<EnvBuildOptions>,
    kDnsOption<EnvBuildOptions>,
    kResolverOption<EnvBuildOptions>,
    kProxyOption<EnvBuildOptions>,
    kStepAuthorityOption<EnvBuildOptions>,
    InGroup("Where", kInsecureRegistryOption<EnvBuildOptions>),
    kRegistryCaOption<EnvBuildOptions>,
    kStateDirOption<EnvBuildOptions>,
};

Error NoEnvironment(const Environments& all, const std::string& name) {
  std::string known;
  for (const Environment& one : all.all()) known += (known.empty() ? "" : ", ") + one.name;
  return {ErrorCode::kNotFound, Fault::kCaller,
          "no environment is called \"" + name + "\"; there are: " + known};
}

}  // namespace

Result<templates::TemplateStore> OpenEnvironments(const EnvOptions& options) {
  templates::TemplateStore store = TRY(OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir))));
  if (options.from.empty()) return store;
  store.Use(std::make_shared<const Environments>(TRY(templates::ReadEnvironments(options.from))));
  return store;
}

Result<std::vector<const Environment*>> EnvironmentsOf(const Environments& all,
                                                       const EnvOptions& options,
                                                       const std::vector<std::string>& names) {
  std::vector<const Environment*> found;
  if (options.all != names.empty()) {
    return Failure(Error::Invalid(options.all ? "--all and names of environments exclude each other"
                                              : "no environment is named")
                       .WithRemedy("name some, as cay env ls lists them, or say --all"));
  }
  if (options.all) {
    for (const Environment& one : all.all()) found.push_back(&one);
    return found;
  }
  for (const std::string& name : names) {
    const Environment* one = all.Find(Lower(name));
    if (one == nullptr) return Failure(NoEnvironment(all, name));
    if (std::ranges::find(found, one) == found.end()) found.push_back(one);
  }
  return found;
}

constinit const Command kEnvBuildCommand = {
    .name = "build",
    .summary = "Build environments from their recipes",
    .usage = "[OPTIONS] NAME...|--all",
    .description =
        "Each becomes the template of its name. Steps reach what the recipe says, and what "
        "--allow\n"
        "adds; --net says it anew. What an environment needs is built first, where it is not "
        "here.\n"
        "Exits with 1 when one could not be built; the others are.\n",
    .options = kBuildOptions,
    .examples =
        "cay env build python-3.11\n"
        "cay env build --all --progress plain\n"
        "cay env build --from ./environments mine\n",
    .max_arguments = 1000,
    .completes = Completes::kEnvironments,
    .run = &ParseAndRun<EnvBuildOptions, EnvBuildMain>,
};

}  // namespace cay::cli
