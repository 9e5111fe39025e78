// cay env build: recipes become templates, those first that others need.
#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "base/os/sys.h"
#include "build/stages/context.h"
#include "cli/builds/build_here.h"
#include "cli/environments/env_options.h"
#include "cli/frame/console.h"
#include "json/json_writer.h"

namespace cay::cli {
namespace {

using templates::Environment;
using templates::TemplateInfo;

constexpr int kExitSomeFailed = 1;

struct Built {
  TemplateInfo info;
  uint64_t steps = 0;
  uint64_t cached = 0;
  Millis took{};
};

class EnvBuild {
 public:
  EnvBuild(EnvBuildOptions& options, templates::TemplateStore& store)
      : options_(options), store_(store) {}

  Result<int> Build(const std::vector<const Environment*>& wanted);

 private:
  // Adds those that it needs and that are not here, and it.
  Result<void> Plan(const Environment& environment, bool is_wanted);
  Result<int> BuildAll();
  // Its exit code; `stopped`: by a signal.
  Result<HereEnd> BuildOne(const Environment& environment);
  Result<build::OpenedContext> ContextOf(const Environment& environment,
                                         const templates::NewLayer& empty) const;
  Result<network::Spec> NetworkOf(const Environment& environment) const;
  Result<void> Tell(const Environment& environment, const build::BuildEnd& end);
  Result<void> TellAll() const;

  EnvBuildOptions& options_;
  templates::TemplateStore& store_;
  std::set<const Environment*> seen_;
  std::set<const Environment*> above_;  // those that need the one that is looked at
  std::vector<const Environment*> order_;
  std::set<std::string> failed_;
  std::vector<Built> built_;
  std::chrono::steady_clock::time_point began_{};
};

Result<void> EnvBuild::Plan(const Environment& environment, bool is_wanted) {
  if (above_.contains(&environment))
    return Failure(Error::Invalid("the environment " + environment.name + " needs itself"));
  if (seen_.contains(&environment)) return {};
  if (!is_wanted && store_.Has(environment.name)) return {};
  seen_.insert(&environment);
  above_.insert(&environment);
  for (const std::string& name : environment.needs) {
    const Environment* needed = store_.environments().Find(name);
    if (needed == nullptr || needed->name != name) {
      return Failure(Error::Invalid("the environment " + environment.name + " needs " + name +
                                    ", which there is not"));
    }
    TRY(Plan(*needed, false));
  }
  above_.erase(&environment);
  order_.push_back(&environment);
  return {};
}

Result<network::Spec> EnvBuild::NetworkOf(const Environment& environment) const {
  network::Spec spec = options_.network;
  if (options_.has_net) return spec;
  for (const std::string& preset : environment.network) TRY(AddNet(spec, preset));
  return spec;
}

Result<build::OpenedContext> EnvBuild::ContextOf(const Environment& environment,
                                                 const templates::NewLayer& empty) const {
  const std::string file = environment.name + std::string(templates::kRecipeSuffix);
  if (!environment.directory.empty())
    return build::OpenContext(environment.directory, environment.directory + "/" + file);
  Fd directory =
      TRY(sys::OpenAt(AT_FDCWD, empty.root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return build::OpenedContext{.directory = std::make_shared<const Fd>(std::move(directory)),
                              .dockerfile = environment.dockerfile,
                              .file_name = file};
}

Result<HereEnd> EnvBuild::BuildOne(const Environment& environment) {
  const bool quiet = options_.quiet || options_.json;
  if (!quiet) Note("building " + environment.name + ": " + environment.summary);
  // The context of what copies nothing from one: it goes with this.
  templates::LayerStore layers = store_.layers();
  const templates::NewLayer empty = TRY(layers.Begin());
  build::OpenedContext context = TRY(ContextOf(environment, empty));
  build::BuildRequest request{.names = {environment.name}};
  request.dockerfile = std::move(context.dockerfile);
  request.file_name = std::move(context.file_name);
  request.context = std::move(context.directory);
  request.ignore = std::move(context.ignore);
  request.build_args = options_.build_args;
  request.no_cache = options_.no_cache;
  Paths paths = TRY(Paths::Resolve(options_.state_dir));
  HereBuild here{.request = std::move(request), .paths = std::move(paths)};
  here.network = TRY(NetworkOf(environment));
  here.ways = options_.ways;
  here.authorities = options_.authorities;
  here.bases = {.registry = options_.registry, .pull = options_.pull, .quiet = quiet};
  here.progress = quiet ? BuildProgress::kQuiet : options_.progress;
  return BuildHere(std::move(here));
}

Result<void> EnvBuild::Tell(const Environment& environment, const build::BuildEnd& end) {
  Built built{.info = end.made.front(), .steps = end.steps, .cached = end.cached};
  built.took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - began_);
  built_.push_back(built);
  if (options_.json) return {};
  if (options_.quiet) return Print(environment.name + "\n");
  return Print("built " + environment.name + " (" + HumanBytes(built.info.size) + "; " +
               std::to_string(built.cached) + " of " + std::to_string(built.steps) +
               " steps cached); try: cay run --template " + environment.name + " -it -- sh\n");
}

Result<void> EnvBuild::TellAll() const {
  if (!options_.json) return {};
  JsonWriter json;
  json.BeginObject().Key("built").BeginArray();
  for (const Built& one : built_) {
    json.BeginObject()
        .Member("name", one.info.name)
        .Member("size", one.info.size)
        .Member("layers", one.info.layers)
        .Member("steps", one.steps)
        .Member("cached", one.cached)
        .Member("duration_ms", one.took.count())
        .EndObject();
  }
  json.EndArray().Key("failed").BeginArray();
  for (const std::string& name : failed_) json.Value(name);
  json.EndArray().EndObject();
  return Print(std::move(json).Take() + "\n");
}

Result<int> EnvBuild::BuildAll() {
  for (const Environment* environment : order_) {
    const bool lacks = std::ranges::any_of(
        environment->needs, [&](const std::string& name) { return failed_.contains(name); });
    if (lacks) {
      Note(environment->name + " is not built: what it needs could not be");
      failed_.insert(environment->name);
      continue;
    }
    began_ = std::chrono::steady_clock::now();
    auto end = BuildOne(*environment);
    if (!end && order_.size() == 1) return Failure(std::move(end).error());
    if (!end) Report(Error(end.error()).WithContext(environment->name));
    if (end && end->stopped) return end->exit_code;
    if (end && end->exit_code == 0) {
      TRY(Tell(*environment, end->end));
    } else {
      failed_.insert(environment->name);
    }
  }
  TRY(TellAll());
  return failed_.empty() ? 0 : kExitSomeFailed;
}

Result<int> EnvBuild::Build(const std::vector<const Environment*>& wanted) {
  for (const Environment* environment : wanted) TRY(Plan(*environment, true));
  return BuildAll();
}

}  // namespace

Result<int> EnvBuildMain(EnvBuildOptions& options, Positionals& rest) {
  TRY(CheckMayBuild());
  templates::TemplateStore store = TRY(OpenEnvironments(options));
  const auto wanted = TRY(EnvironmentsOf(store.environments(), options, rest.values));
  return EnvBuild(options, store).Build(wanted);
}

}  // namespace cay::cli
