#include "build/stages/build.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/os/log.h"
#include "base/text.h"
#include "build/cache/step_layers.h"
#include "build/stages/bases.h"
#include "build/stages/stage_build.h"
#include "build/stages/stage_queue.h"
#include "build/stages/told.h"
#include "template/dockerfile/dockerfile.h"
#include "template/dockerfile/stages.h"
#include "template/oci/document.h"
#include "template/space/make_room.h"
#include "template/store/template_name.h"

namespace cay::build {
namespace {

namespace df = templates::dockerfile;
using templates::NewChain;
using templates::TemplateInfo;

Result<void> CheckRequest(const BuildRequest& request) {
  for (const std::string& name : request.names) {
    TRY(templates::CheckTemplateName(name));
    if (name == "host") return Failure(Error::Impossible("the template \"host\" is built in"));
  }
  if (request.at_a_time == 0 || request.at_a_time > kMaxStepsAtATime) {
    return Failure(Error::Invalid("1 to " + std::to_string(kMaxStepsAtATime) +
                                  " stages can be built at a time"));
  }
  for (const auto& [id, content] : request.secrets) {
    if (content.size() <= kMaxSecret) continue;
    return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                         "the secret \"" + id + "\" is larger than " + HumanBytes(kMaxSecret)));
  }
  if (request.context == nullptr) return Failure(Error::Invalid("a build needs a context"));
  return {};
}

df::StageOptions StageOptionsOf(const BuildRequest& request) {
  df::StageOptions options{.target = request.target, .build_args = request.build_args};
  if (request.platform) options.target_platform = *request.platform;
  return options;
}

// One build: its parts, in the order in which they are made.
class Building {
 public:
  Building(const BuildMachine& machine, const BuildRequest& request, const BuildWatch& watch,
           const StopTimer& stop, const df::Stages& stages, templates::LayerStore& store)
      : machine_(machine),
        request_(request),
        stages_(stages),
        told_(watch, request.file_name),
        bases_(machine),
        layers_(store, stop, request.no_cache),
        runner_(machine.engine, store, {.limits = request.limits, .network = machine.network},
                stop),
        ended_(stages.all().size()),
        parts_{.machine = machine,
               .request = request,
               .stages = stages,
               .bases = bases_,
               .layers = layers_,
               .runner = runner_,
               .told = told_,
               .stop = stop,
               .ended = ended_} {}

  Result<BuildEnd> Do(const std::vector<df::Warning>& warnings) {
    for (const auto* const list : {&warnings, &stages_.warnings()}) {
      for (const df::Warning& warning : *list) told_.Warn(warning.line, warning.text);
    }
    const auto built =
        BuildStages(Works(), request_.at_a_time, [this](size_t stage) { return BuildOne(stage); });
    BuildEnd end;
    Result<void> written;
    if (built && *built) written = Write(end.made);
    // However it ended, what was finished is for later builds.
    Result<void> published = layers_.Publish();
    if (!built) return Failure(built.error());
    TRY(std::move(written));
    TRY(std::move(published));
    told_.TakeInto(end);
    return end;
  }

 private:
  std::vector<StageWork> Works() const {
    std::vector<StageWork> works;
    for (const size_t stage : stages_.order())
      works.push_back({.stage = stage, .needs = stages_.all()[stage].needs});
    return works;
  }

  Result<bool> BuildOne(size_t stage) {
    auto ended = TRY(BuildStage(parts_, stage));
    if (!ended) return false;
    // Read by those that need it, which begin after this.
    ended_[stage] = *std::move(ended);
    return true;
  }

  // The template of what the target ended with.
  Result<void> Write(std::vector<TemplateInfo>& made) {
    const StageEnd& target = *ended_.at(stages_.target());
    told_.Tell({.kind = BuildEvent::Kind::kWriting, .text = "writing the template"});
    NewChain chain{.origin = {.reference = {}, .config = target.WholeConfig()}, .layers = {}};
    chain.origin.config.created = templates::oci::TimestampOf(UnixMs());
    chain.origin.config.diff_ids.clear();
    for (const auto& [name, value] : request_.labels)
      chain.origin.config.process.labels[name] = value;
    for (const ChainLayer& layer : target.chain.layers) {
      const std::string diff_id = TRY(layers_.DiffIdOf(layer));
      chain.origin.config.diff_ids.push_back(TRY(templates::oci::Digest::Parse(diff_id)));
      chain.layers.insert(chain.layers.begin(), layer.id);
      chain.bytes += layer.bytes;
      if (!layer.is_of_base) chain.written += layer.bytes;
      chain.entries += layer.entries;
    }
    TRY(layers_.Publish());
    std::vector<std::string> names = request_.names;
    if (names.empty()) names.push_back(TRY(NameOf(target.chain)));
    templates::ImportOptions options;
    options.replace = true;
    options.source_name = "built from " + request_.file_name;
    for (const std::string& name : names)
      made.push_back(TRY(machine_.store.AddChain(name, chain, options)));
    return {};
  }

  // Of a build without a name: the same for the same.
  static Result<std::string> NameOf(const Chain& chain) {
    return "built-" + TRY(templates::LayerIdOf(chain.key)).substr(0, 12);
  }

  const BuildMachine& machine_;
  const BuildRequest& request_;
  const df::Stages& stages_;
  Told told_;
  Bases bases_;
  StepLayers layers_;
  StepRunner runner_;
  std::vector<std::optional<StageEnd>> ended_;
  BuildParts parts_;
};

}  // namespace

Result<BuildEnd> Build(const BuildMachine& machine, const BuildRequest& request,
                       const BuildWatch& watch, const StopTimer& stop) {
  TRY(CheckRequest(request));
  auto file = df::ParseDockerfile(request.dockerfile);
  if (!file) return Failure(std::move(file).error().WithContext(request.file_name));
  auto stages = df::Stages::Of(*file, StageOptionsOf(request));
  if (!stages) return Failure(std::move(stages).error().WithContext(request.file_name));
  TRY(templates::MakeRoom(machine.store, 0));
  templates::LayerStore store = machine.store.layers();
  BuildEnd end = TRY(Building(machine, request, watch, stop, *stages, store).Do(file->warnings));
  TRY(templates::PruneBuilt(store, request.keep));
  // What was built is there: that others stay over the budget is no failure of this one.
  if (const auto kept = templates::KeepToBudget(machine.store); !kept)
    LogWarning("space is not collected: " + kept.error().ToString());
  return end;
}

}  // namespace cay::build
