// cay template pull: an image of a registry becomes a template of this machine.
#include "cli/templates/pull_command.h"

#include <string>

#include "cli/client/call.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "cli/templates/pull_bars.h"
#include "cli/templates/registry_options.h"
#include "template/pull/pull.h"
#include "template/store/template_name.h"

namespace cay::cli {
namespace {

using templates::PullOptions;
using templates::registry::CallOptions;

struct PullArguments : ServerOptions {
  std::string as;
  templates::oci::Platform platform = templates::oci::Platform::Native();
  Bytes max_bytes = PullOptions{}.max_bytes;
  bool replace = false;
  RegistryOptions registry;
  std::string state_dir;
};

Result<int> PullMain(PullArguments& options, Positionals& rest) {
  TRY(CheckNoServer(options.connection, options.state_dir));
  PullOptions pull{.image = TRY(templates::ImageOfName(rest.values[0])), .name = {}};
  pull.name =
      TRY(templates::NormalTemplateName(options.as.empty() ? pull.image.Familiar() : options.as));
  // An image's own name means what the registry has now; another name may be somebody's.
  pull.replace = options.replace || !templates::IsShortName(pull.name);
  pull.platform = options.platform;
  pull.max_bytes = options.max_bytes;
  auto store = TRY(OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir))));
  const auto client = TRY(OpenRegistryClient(options.registry));
  CallOptions call;
  call.on_note = [](const std::string& text) { Note(text); };
  Result<templates::TemplateInfo> info = [&] {
    PullBars bars(options.quiet);
    pull.on_progress = [&](const templates::PullProgress& now) { bars.Show(now); };
    return PullImage(store, *client, pull, call);
  }();
  if (!info) return Failure(std::move(info).error());
  if (options.quiet) {
    TRY(Print(info->name + "\n"));
    return 0;
  }
  TRY(Print("pulled " + info->name + " (" + std::to_string(info->layers) + " layers, " +
            HumanBytes(info->size) + ", " + info->digest + "); try: cay run --template " +
            info->name + " -it -- sh\n"));
  const std::string notes = templates::DescribeNotes(info->notes);
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
     .apply = kParsed<PullArguments, &PullArguments::platform, templates::oci::Platform::Parse>},
    {.name = "replace",
     .help = "Take the place of a template of the name that --as gives",
     .apply = kFlag<PullArguments, &PullArguments::replace>},
    {.name = "max-size",
     .value = "SIZE",
     .help = "Refuse more unpacked content than this (default 16g)",
     .example = "4g",
     .apply = kParsed<PullArguments, &PullArguments::max_bytes, ParseBytes>},
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
        "Credentials are those of ~/.docker/config.json (docker login, skopeo login).\n",
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
