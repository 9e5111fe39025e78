// cay template pull: an image of a registry becomes a template of this machine, or of a server.
#include "cli/templates/pull_command.h"

#include <optional>
#include <string>

#include "cli/client/call.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/pulls/local_pull.h"
#include "cli/pulls/registry_options.h"
#include "cli/remote/server_templates.h"
#include "template/pull/pull.h"
#include "template/store/template_name.h"

namespace cay::cli {
namespace {

using templates::PullOptions;

struct PullArguments : ServerOptions {
  std::string as;
  std::optional<templates::oci::Platform> platform;
  std::optional<Bytes> max_bytes;
  bool replace = false;
  RegistryOptions registry;
  std::string state_dir;
};

Result<void> SetPlatform(PullArguments& options, std::string_view value) {
  options.platform = TRY(templates::oci::Platform::Parse(value));
  return {};
}
Result<void> SetMaxBytes(PullArguments& options, std::string_view value) {
  options.max_bytes = TRY(ParseBytes(value));
  return {};
}
template <auto kApply>
constexpr auto kInto = &Into<PullArguments, kApply>;

Result<PullOptions> AskedPull(const PullArguments& options, const std::string& typed) {
  PullOptions pull{.image = TRY(templates::ImageOfName(typed)), .name = {}};
  pull.name =
      TRY(templates::NormalTemplateName(options.as.empty() ? pull.image.Familiar() : options.as));
  pull.replace = options.replace;
  if (options.platform) pull.platform = *options.platform;
  pull.max_bytes = options.max_bytes.value_or(pull.max_bytes);
  return pull;
}

// What only the server's configuration decides there.
Result<void> CheckForServer(const PullArguments& options) {
  if (options.registry.insecure.empty() && options.registry.ca_file.empty() && !options.max_bytes)
    return {};
  return Failure(Error::Invalid("a server decides itself about registries and sizes")
                     .WithRemedy("leave --insecure-registry, --registry-ca and --max-size out; its "
                                 "configuration has [templates]"));
}

Result<int> PullMain(PullArguments& options, Positionals& rest) {
  const PullOptions pull = TRY(AskedPull(options, rest.values[0]));
  if (auto server = TRY(NamedServer(options.connection, options.state_dir))) {
    TRY(CheckForServer(options));
    return FinishCall(*server,
                      PullOnServer(*server, options,
                                   {.image = rest.values[0],
                                    .name = options.as,
                                    .platform = options.platform ? options.platform->Text() : "",
                                    .replace = options.replace}));
  }
  auto store = TRY(OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir))));
  const auto info =
      TRY(PullHere(store, {.options = pull, .registry = options.registry, .quiet = options.quiet}));
  if (options.quiet) {
    TRY(Print(info.name + "\n"));
    return 0;
  }
  TRY(Print("pulled " + info.name + " (" + std::to_string(info.layers) + " layers, " +
            HumanBytes(info.size) + ", " + info.digest + "); try: cay run --template " + info.name +
            " -it -- sh\n"));
  const std::string notes = templates::DescribeNotes(info.notes);
  if (!notes.empty()) Note(notes);
  return 0;
}

constexpr OptionSpec kOptions[] = {
    {.name = "as",
     .value = "NAME",
     .help = "Name the template so (default: as the image is named)",
     .example = "py",
     .apply = kText<PullArguments, &PullArguments::as>},
    {.name = "platform",
     .value = "OS/ARCH[/VARIANT]",
     .help = "Of an image for several platforms, this one (default: this machine's)",
     .example = "linux/amd64",
     .apply = kInto<SetPlatform>},
    {.name = "replace",
     .help = "Take the place of a template of the name that --as gives",
     .apply = kFlag<PullArguments, &PullArguments::replace>},
    {.name = "max-size",
     .value = "SIZE",
     .help = "Refuse more unpacked content than this (default 16g)",
     .example = "4g",
     .apply = kInto<SetMaxBytes>},
    kInsecureRegistryOption<PullArguments>,
    kRegistryCaOption<PullArguments>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Print only the template's name",
     .apply = kFlag<PullArguments, &PullArguments::quiet>},
    kStateDirOption<PullArguments>,
    kUrlOption<PullArguments>,
    kApiKeyFileOption<PullArguments>,
    kContextOption<PullArguments>,
};

}  // namespace

constinit const Command kTemplatePullCommand = {
    .name = "pull",
    .summary = "Make a template from an image of a registry",
    .usage = "[OPTIONS] IMAGE",
    .description =
        "Layers that are here are not fetched again, and a pull that was cut goes on where it "
        "was.\n"
        "Credentials are those of ~/.docker/config.json (docker login, skopeo login); of a server\n"
        "those that its configuration names. A server's pull goes on when this command ends.\n",
    .options = kOptions,
    .examples =
        "cay template pull python:3.12-slim\n"
        "cay template pull --as app registry.example:5000/team/app:1.2\n"
        "cay run --template python:3.12-slim -- python3 -c 'print(1)'\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndAct<PullArguments, PullMain>,
};

}  // namespace cay::cli
