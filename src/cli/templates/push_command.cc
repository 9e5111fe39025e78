// cay template push: a template of this machine, or of a server, becomes an image of a registry.
#include <string>
#include <utility>

#include "cli/client/call.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/local/local_survey.h"
#include "cli/pulls/pull_bars.h"
#include "cli/pulls/registry_options.h"
#include "cli/remote/server_templates.h"
#include "cli/templates/export_command.h"
#include "cli/templates/server_push.h"
#include "template/export/image_form.h"
#include "template/pull/push_image.h"

namespace cay::cli {
namespace {

struct PushArguments : ServerOptions {
  std::string compression;  // empty: gzip
  RegistryOptions registry;
  std::string state_dir;
};

Result<void> SetCompression(PushArguments& options, std::string_view value) {
  [[maybe_unused]] const auto compression = TRY(templates::ParseCompression(value));
  options.compression = value;
  return {};
}

Result<int> PushThere(ApiClient& api, const PushArguments& options, const std::string& name,
                      const templates::oci::ImageReference& image) {
  if (!options.registry.insecure.empty() || !options.registry.ca_file.empty()) {
    return Failure(Error::Invalid("a server decides itself about registries")
                       .WithRemedy("leave --insecure-registry and --registry-ca out; its "
                                   "configuration has [templates]"));
  }
  sandbox::PushSpec spec;
  spec.image = image.Familiar();
  spec.compression = options.compression;
  return PushOnServer(api, options, name, image, spec);
}

Result<int> PushMain(PushArguments& options, Positionals& rest) {
  auto image = TRY(templates::ReferenceToWrite(rest.values[1], rest.values[0]));
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, PushThere(*server, options, rest.values[0], image));
  templates::PushOptions push{.name = rest.values[0], .image = std::move(image)};
  if (!options.compression.empty())
    push.compression = TRY(templates::ParseCompression(options.compression));
  auto store = TRY(OpenLocalTemplates(TRY(Paths::Resolve(options.state_dir))));
  const auto client = TRY(OpenRegistryClient(options.registry));
  templates::registry::CallOptions call;
  call.on_note = [](const std::string& text) { Note(text); };
  const auto digest = [&] {
    PullBars bars(options.quiet);
    push.on_progress = [&](const templates::PullProgress& now) { bars.Show(now); };
    return PushImage(store, *client, push, call);
  }();
  if (!digest) return Failure(digest.error());
  TRY(Print(options.quiet ? digest->text() + "\n"
                          : "pushed " + push.name + " to " + push.image.Familiar() + " (" +
                                digest->text() + ")\n"));
  return 0;
}

constexpr OptionSpec kOptions[] = {
    {.name = "compression",
     .value = "KIND",
     .help = "Of the layers: gzip, zstd or none (default gzip)",
     .example = "zstd",
     .completes = Completes::kWords,
     .words = "gzip zstd none",
     .apply = &Into<PushArguments, SetCompression>},
    kInsecureRegistryOption<PushArguments>,
    kRegistryCaOption<PushArguments>,
    {.name = "quiet",
     .short_name = 'q',
     .help = "Print only the image's digest",
     .apply = kFlag<PushArguments, &PushArguments::quiet>},
    kStateDirOption<PushArguments>,
    kUrlOption<PushArguments>,
    kApiKeyFileOption<PushArguments>,
    kContextOption<PushArguments>,
};

}  // namespace

constinit const Command kTemplatePushCommand = {
    .name = "push",
    .summary = "Send a template to a registry, as an image",
    .usage = "[OPTIONS] NAME IMAGE",
    .description =
        "What is sent is what `cay template export` writes. Layers that the registry has are not "
        "sent again.\n"
        "Credentials are those of ~/.docker/config.json (docker login, skopeo login). A server is "
        "sent those\n"
        "of that registry, for this push alone; its push goes on when this command ends.\n",
    .options = kOptions,
    .examples =
        "cay template push app registry.example:5000/team/app:1.3\n"
        "cay template push --compression zstd app localhost:5000/app:latest\n",
    .min_arguments = 2,
    .max_arguments = 2,
    .completes = Completes::kTemplates,
    .run = &ParseAndAct<PushArguments, PushMain>,
};

}  // namespace cay::cli
