#include "build/packages/derive.h"

#include <chrono>
#include <utility>

#include "base/clock.h"
#include "build/cache/step_key.h"
#include "build/cache/step_layers.h"
#include "build/run/step_trust.h"
#include "build/stages/told.h"
#include "template/import/import_watch.h"
#include "template/layers/layer_id.h"
#include "template/store/derived.h"
#include "template/store/snapshot.h"

namespace cay::build {
namespace {

using templates::NewLayer;

// Steps that are done by other rules have other keys.
constexpr std::string_view kRules = "1";
constexpr const char* kScratch = "/var/cache/cay-packages";

Result<std::string> KeyOfBase(const templates::Template& base, const std::string& owner) {
  StepKey key("packages");
  key.Add("rules", kRules).Add("owner", owner);
  for (const engine::Overlay& overlay :
       templates::NameLayers(engine::HostLayersOf(base.root).overlays)) {
    key.Add("target", overlay.target).Add("layers", overlay.layers);
  }
  return key.Add("env", base.env).Finish();
}

// What comes after it: the same wherever its layers lie.
Result<std::string> KeyOfStep(const std::string& parent, const PackageStep& step) {
  StepKey key("package-step");
  key.Add("parent", parent).Add("argv", step.run.argv).Add("user", step.run.user);
  for (const StepFile& file : step.run.files) key.Add("file", file.path).Add("is", file.content);
  return key.Finish();
}

class Deriving {
 public:
  Deriving(const BuildMachine& machine, const DerivePlan& plan, const DeriveOptions& options,
           const BuildWatch& watch, const StopTimer& stop, templates::LayerStore& store)
      : machine_(machine),
        plan_(plan),
        options_(options),
        told_(watch, "packages"),
        stop_(stop),
        layers_(store, stop, /*no_cache=*/false),
        runner_(machine.engine, store, {.limits = options.limits, .network = machine.network},
                stop) {}

  Result<BuildEnd> Do() {
    auto done = DoAll();
    // However it ended, what was finished is for later ones.
    Result<void> published = layers_.Publish();
    BuildEnd end;
    if (done && *done && published) end.made.push_back(TRY(Write()));
    if (!done) return Failure(std::move(done).error());
    TRY(std::move(published));
    told_.TakeInto(end);
    return end;
  }

 private:
  // False when a step failed.
  Result<bool> DoAll() {
    std::string key = TRY(KeyOfBase(plan_.base, plan_.owner));
    for (size_t i = 0; i < plan_.packages.steps.size(); ++i) {
      const PackageStep& step = plan_.packages.steps[i];
      TRY(CheckWanted(stop_));
      key = TRY(KeyOfStep(key, step));
      const StepLabel label{.id = told_.NextId(),
                            .stage = plan_.base.name,
                            .number = i + 1,
                            .of = plan_.packages.steps.size(),
                            .text = step.text,
                            .line = static_cast<uint32_t>(i + 1)};
      if (!TRY(DoStep(key, step, label))) return false;
    }
    return true;
  }

  Result<bool> DoStep(const std::string& key, const PackageStep& step, const StepLabel& label) {
    told_.Tell({.kind = BuildEvent::Kind::kBegan, .step = label});
    const auto began = SteadyNow();
    const auto done = FindOrRun(key, step, label);
    BuildEvent ended{.kind = BuildEvent::Kind::kEnded, .step = label};
    ended.took = std::chrono::duration_cast<Millis>(SteadyNow() - began);
    ended.failed = !done || !*done;
    told_.Tell(ended);
    if (done) return done;
    return Failure(Error(done.error()).WithContext(label.text));
  }

  Result<bool> FindOrRun(const std::string& key, const PackageStep& step, const StepLabel& label) {
    auto claim = TRY(layers_.FindOrClaim(key));
    told_.CountStep(claim.found().has_value());
    if (claim.found()) {
      told_.Tell({.kind = BuildEvent::Kind::kCached, .step = label});
      chain_.layers.push_back(*claim.found());
      return true;
    }
    NewLayer layer = TRY(layers_.Begin());
    const auto content = TRY(Run(step, layer, label));
    if (!content) return false;
    written_ += content->bytes;
    if (options_.max_bytes > 0 && written_ > options_.max_bytes) {
      return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                           "the packages are larger than " + HumanBytes(options_.max_bytes) +
                               ", which is the maximum"));
    }
    chain_.layers.push_back(claim.Finish(std::move(layer), *content));
    return true;
  }

  Result<std::optional<LayerContent>> Run(const PackageStep& step, const NewLayer& layer,
                                          const StepLabel& label) {
    RunStep run = step.run;
    // What managers keep while they work lies there, and goes with the step.
    const NewLayer scratch = TRY(layers_.Begin());
    run.mounts.push_back(
        {.kind = StepMount::Kind::kLayers, .target = kScratch, .layers = {scratch.root()}});
    for (const std::string& variable : options_.env) run.env.push_back(variable);
    if (machine_.network != nullptr && !options_.authorities.empty())
      Trust(run, options_.authorities);
    std::vector<std::string> below = chain_.Roots();
    const auto& base = engine::HostLayersOf(plan_.base.root).overlays.front().layers;
    below.insert(below.end(), base.begin(), base.end());
    OutputEnd output;
    const StepEnd end =
        TRY(runner_.Run(run, below, layer.root(), [&](OutputStream stream, std::string_view bytes) {
          output.Add(bytes);
          BuildEvent event{.kind = BuildEvent::Kind::kOutput, .step = label};
          event.stream = stream;
          event.bytes = bytes;
          told_.Tell(event);
        }));
    if (!end.succeeded()) {
      told_.Fail({.step = label, .end = end, .output_end = output.Text()});
      return std::nullopt;
    }
    return LayerContent{.bytes = end.written.bytes,
                        .entries = end.written.entries,
                        .notes = templates::NotesOf(end.written)};
  }

  Result<templates::TemplateInfo> Write() {
    told_.Tell({.kind = BuildEvent::Kind::kWriting, .text = "writing the template"});
    templates::NewDerived derived{.name = plan_.name,
                                  .key = plan_.key,
                                  .base = plan_.base,
                                  .variables = plan_.packages.variables,
                                  .packages = plan_.packages.set.told};
    for (const ChainLayer& layer : chain_.layers) {
      derived.layers.insert(derived.layers.begin(), layer.id);
      derived.written += layer.bytes;
      derived.entries += layer.entries;
    }
    return machine_.store.AddDerived(derived);
  }

  const BuildMachine& machine_;
  const DerivePlan& plan_;
  const DeriveOptions& options_;
  Told told_;
  const StopTimer& stop_;
  StepLayers layers_;
  StepRunner runner_;
  Chain chain_{};
  Bytes written_ = 0;
};

}  // namespace

Result<DerivePlan> PlanDerive(const templates::Template& base, const AskedPackages& asked,
                              const DeriveFor& whom) {
  DerivePlan plan{.base = base, .owner = whom.owner};
  plan.packages = TRY(PlanPackages(asked, whom.usual, base));
  if (plan.packages.set.none())
    return Failure(Error::Invalid("no packages are named: the list, or the file, has none"));
  plan.key = TRY(KeyOfBase(base, whom.owner));
  for (const PackageStep& step : plan.packages.steps) plan.key = TRY(KeyOfStep(plan.key, step));
  plan.name = whom.prefix + "packages-" + TRY(templates::LayerIdOf(plan.key));
  return plan;
}

Result<BuildEnd> Derive(const BuildMachine& machine, const DerivePlan& plan,
                        const DeriveOptions& options, const BuildWatch& watch,
                        const StopTimer& stop) {
  templates::LayerStore store = machine.store.layers();
  BuildEnd end = TRY(Deriving(machine, plan, options, watch, stop, store).Do());
  TRY(templates::PruneDerived(machine.store, options.keep));
  TRY(templates::PruneBuilt(store, options.keep));
  return end;
}

}  // namespace cay::build
