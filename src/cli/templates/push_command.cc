// cay template push: a template of this machine becomes an image of a registry.
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
#include "template/pull/push_image.h"

namespace cay::cli {
namespace {

struct PushArguments : ServerOptions {
  archive::Compression compression = archive::Compression::kGzip;
  RegistryOptions registry;
  std::string state_dir;
};

Result<int> PushMain(PushArguments& options, Positionals& rest) {
  TRY(CheckNoServer(options.connection, options.state_dir));
  auto image = TRY(ReferenceToWrite(rest.values[1], rest.values[0]));
  templates::PushOptions push{.name = rest.values[0], .image = std::move(image)};
  push.compression = options.compression;
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
     .apply = kParsed<PushArguments, &PushArguments::compression, ParseCompression>},
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
        "Credentials are those of ~/.docker/config.json (docker login, skopeo login).\n",
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
