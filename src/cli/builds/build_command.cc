// cay template build: a Dockerfile becomes a template of this machine.
#include <utility>

#include "build/stages/context.h"
#include "cli/builds/build_here.h"
#include "cli/builds/build_options.h"
#include "cli/builds/server_build.h"
#include "cli/builds/typed_context.h"
#include "cli/client/call.h"
#include "cli/frame/console.h"
#include "cli/remote/server_templates.h"
#include "json/json_writer.h"

namespace cay::cli {
namespace {

build::BuildRequest RequestOf(BuildOptions& options, build::OpenedContext context) {
  build::BuildRequest request{.names = options.tags};
  request.dockerfile = std::move(context.dockerfile);
  request.file_name = std::move(context.file_name);
  request.context = std::move(context.directory);
  request.ignore = std::move(context.ignore);
  request.target = options.target;
  request.build_args = options.build_args;
  request.labels = options.labels;
  request.secrets = std::move(options.secrets);
  request.platform = options.platform;
  request.no_cache = options.no_cache;
  request.limits = options.limits;
  return request;
}

Result<void> PrintMade(const build::BuildEnd& end, const BuildOptions& options) {
  if (options.json) {
    JsonWriter json;
    json.BeginObject().Key("templates").BeginArray();
    for (const templates::TemplateInfo& made : end.made) json.Value(made.name);
    json.EndArray()
        .Member("layers", end.made.front().layers)
        .Member("size", end.made.front().size)
        .Member("steps", end.steps)
        .Member("cached", end.cached)
        .EndObject();
    return Print(std::move(json).Take() + "\n");
  }
  for (const templates::TemplateInfo& made : end.made) {
    if (options.quiet) {
      TRY(Print(made.name + "\n"));
      continue;
    }
    TRY(Print("built " + made.name + " (" + std::to_string(made.layers) + " layers, " +
              HumanBytes(made.size) + "; " + std::to_string(end.cached) + " of " +
              std::to_string(end.steps) + " steps cached); try: cay run --template " + made.name +
              " -it -- sh\n"));
  }
  return {};
}

Result<int> BuildOf(BuildOptions& options, const std::string& typed) {
  TRY(CheckMayBuild());
  const bool quiet = options.quiet || options.json;
  Paths paths = TRY(Paths::Resolve(options.state_dir));
  TypedContext context = TRY(OpenTypedContext(typed, options.file));
  std::optional<UnpackedContext> unpacked;  // what an archive held, until the build has ended
  if (context.archive) {
    unpacked.emplace(TRY(UnpackContextHere(paths, *context.archive, options.file)));
    context.opened = unpacked->context;
  }
  HereBuild build{.request = RequestOf(options, *std::move(context.opened)),
                  .paths = std::move(paths)};
  build.network = options.network;
  build.ways = options.ways;
  build.authorities = options.authorities;
  build.bases = {.registry = options.registry, .pull = options.pull, .quiet = quiet};
  build.progress = quiet ? BuildProgress::kQuiet : options.progress;
  build.has_cpus = options.has_cpus;
  const HereEnd ended = TRY(BuildHere(std::move(build)));
  if (ended.exit_code != 0) return ended.exit_code;
  TRY(PrintMade(ended.end, options));
  return 0;
}

}  // namespace

Result<int> BuildMain(BuildOptions& options, Positionals& rest) {
  if (auto server = TRY(NamedServer(options.connection, options.state_dir)))
    return FinishCall(*server, BuildOnServer(*server, options, rest.values[0]));
  return BuildOf(options, rest.values[0]);
}

}  // namespace cay::cli
