// cay template pull: an image of a registry becomes a template of this machine.
#include "cli/templates/pull_command.h"

#include <string>
#include <vector>

#include "cli/client/call.h"
#include "cli/frame/argument_values.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/remote/server_templates.h"
#include "cli/templates/pull_bars.h"
#include "template/pull/pull.h"
#include "template/registry/rules/credentials.h"
#include "template/store/template_name.h"

namespace cay::cli {
namespace {

using templates::PullOptions;
using templates::registry::CallOptions;
using templates::registry::CredentialStore;
using templates::registry::RegistryClient;
using templates::registry::RegistrySettings;

struct PullArguments : ServerOptions {
  std::string as;
  templates::oci::Platform platform = templates::oci::Platform::Native();
  Bytes max_bytes = PullOptions{}.max_bytes;
  bool replace = false;
  std::vector<std::string> insecure;
  std::string ca_file;
  std::string state_dir;
};

Result<std::string> ParseServer(std::string_view text) {
  TRY(templates::registry::Endpoint::Parse(text));
  return std::string(text);
}

// Whoever runs this program may connect to whatever there is without it, too.
RegistrySettings SettingsOf(const PullArguments& options) {
  RegistrySettings settings;
  settings.insecure = options.insecure;
  settings.ca_file = options.ca_file;
  settings.private_registries = {"0.0.0.0/0", "::/0"};
  return settings;
}

// Docker's own place for them.
Result<CredentialStore> LoadCredentials() {
  if (const auto directory = LookupEnvironment("DOCKER_CONFIG"))
    return CredentialStore::Load(*directory + "/config.json");
  if (const auto home = LookupEnvironment("HOME"))
    return CredentialStore::Load(*home + "/.docker/config.json");
  return CredentialStore();
}

Result<int> PullMain(PullArguments& options, Positionals& rest) {
  if (TRY(NamedServer(options.connection, options.state_dir))) {
    return Failure(Error(ErrorCode::kNotSupported, Fault::kCaller,
                         "a server's images are pulled where it runs")
                       .WithRemedy("run it there, with --state-dir"));
  }
  PullOptions pull{.image = TRY(templates::ImageOfName(rest.values[0])), .name = {}};
  pull.name =
      TRY(templates::NormalTemplateName(options.as.empty() ? pull.image.Familiar() : options.as));
  // An image's own name means what the registry has now; another name may be somebody's.
  pull.replace = options.replace || !templates::IsShortName(pull.name);
  pull.platform = options.platform;
  pull.max_bytes = options.max_bytes;
  auto store = TRY(OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir))));
  const auto client = TRY(RegistryClient::Open(SettingsOf(options), TRY(LoadCredentials())));
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
    {.name = "insecure-registry",
     .value = "HOST[:PORT]",
     .help = "Ask this one without TLS where it does not speak it; those of this machine always "
             "are; repeatable",
     .example = "registry.example:5000",
     .apply = kAppended<PullArguments, &PullArguments::insecure, ParseServer>},
    {.name = "registry-ca",
     .value = "FILE",
     .help = "PEM file of authorities that registries may have, beside the system's",
     .example = "ca.pem",
     .apply = kText<PullArguments, &PullArguments::ca_file>},
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
