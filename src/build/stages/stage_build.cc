#include "build/stages/stage_build.h"

#include <chrono>
#include <functional>
#include <span>
#include <utility>

#include "build/cache/step_key.h"
#include "build/copy/apply_copy.h"
#include "build/copy/copy_archive.h"
#include "build/run/step_trust.h"
#include "build/stages/adds.h"
#include "build/stages/aside.h"
#include "build/stages/copies.h"
#include "build/stages/display.h"
#include "build/stages/run_mounts.h"
#include "template/import/import_watch.h"
#include "template/layers/lower_chain.h"

namespace cay::build {
namespace {

namespace df = templates::dockerfile;
using templates::NewLayer;

Result<void> CheckSupported(const df::Run& run) {
  const auto refuse = [](const std::string& what, const std::string& why) {
    return Failure(
        Error(ErrorCode::kNotSupported, Fault::kCaller, what + " is not supported: " + why));
  };
  if (run.network == df::RunNetwork::kHost)
    return refuse("--network=host", "a step never has the machine's own network");
  if (run.security == df::RunSecurity::kInsecure)
    return refuse("--security=insecure", "a step is always in a sandbox");
  return {};
}

// What a RUN's command sees, without secrets. A step does not depend on proxies.
std::vector<std::string> EnvironmentOf(const df::Variables& variables, const BuildRequest& request,
                                       StepKey& key) {
  std::vector<std::string> env = variables.Environment();
  key.Add("env", env);
  for (const std::string_view name : df::ProxyArguments()) {
    const auto given = request.build_args.find(std::string(name));
    if (given != request.build_args.end() && variables.Find(name) == nullptr)
      env.push_back(given->first + "=" + given->second);
  }
  return env;
}

// One stage while its instructions are done.
class Stage {
 public:
  Stage(BuildParts& parts, size_t index, Chain chain, templates::oci::ImageConfig config,
        df::StageVariables variables)
      : parts_(parts),
        index_(index),
        stage_(parts.stages.all().at(index)),
        chain_(std::move(chain)),
        changes_(std::move(config)),
        variables_(std::move(variables)) {}

  // False when a step failed.
  Result<bool> Do(const StepLabel& from, std::vector<df::Instruction> triggers) {
    number_ = from.number;
    of_ = from.of;
    for (df::Instruction& trigger : triggers) {
      trigger.first_line = 0;
      if (!TRY(Step(trigger))) return false;
    }
    for (const df::Instruction& instruction : stage_.instructions) {
      if (!TRY(Step(instruction))) return false;
    }
    return true;
  }

  StageEnd Take() && {
    return {.chain = std::move(chain_),
            .config = std::move(changes_).Take(),
            .history = std::move(history_),
            .variables = std::move(variables_)};
  }

 private:
  // Says what is in the layer; nothing when the step failed.
  using Make = std::function<Result<std::optional<LayerContent>>(const NewLayer& layer)>;

  Result<bool> Step(const df::Instruction& instruction);
  Result<bool> Dispatch(const df::Instruction& step, const StepLabel& label);
  Result<bool> AddLayer(const std::string& key, const df::Instruction& step, const StepLabel& label,
                        const Make& make);
  Result<bool> DoRun(const df::Run& run, const df::Instruction& instruction,
                     const StepLabel& label);
  Result<void> CountWritten(Bytes bytes);
  Result<void> FillRun(const df::Run& run, RunStep& step, StepKey& key);
  Result<std::optional<LayerContent>> MakeRun(RunStep& step, RunMounts& mounts,
                                              const NewLayer& layer, const StepLabel& label);
  Result<bool> DoCopy(CopyInputs inputs, const df::Instruction& step, const StepLabel& label);
  Result<bool> DoAdd(const df::Add& add, const df::Instruction& step, const StepLabel& label);
  Result<std::string> KeyOfPinned(const df::Add& add, const AddSources& sources) const;
  Result<CopyPlan> PlanOf(const CopyRequest& request, std::span<const Fd> lower,
                          const StepLabel& label);
  Result<bool> DoWorkdir(const df::Instruction& step, const StepLabel& label);
  Result<bool> AddCopy(CopyPlan& plan, std::span<const Fd> lower, const df::Instruction& step,
                       const StepLabel& label);
  Result<std::optional<LayerContent>> MakeCopy(CopyPlan& plan, std::span<const Fd> lower,
                                               const std::optional<std::string>& digest,
                                               const NewLayer& layer);

  const templates::oci::ProcessConfig& process() const { return changes_.config().process; }
  std::string WorkingDir() const {
    return process().working_dir.empty() ? "/" : process().working_dir;
  }
  void NoteHistory(const df::Instruction& step, bool has_layer) {
    history_.push_back({.created_by = HistoryOf(step), .empty_layer = !has_layer});
  }

  BuildParts& parts_;
  const size_t index_;
  const df::Stage& stage_;
  Chain chain_;
  df::ImageChanges changes_;
  df::StageVariables variables_;
  std::vector<templates::oci::HistoryEntry> history_{};
  size_t number_ = 0;
  size_t of_ = 0;
};

Result<bool> Stage::Step(const df::Instruction& instruction) {
  TRY(CheckWanted(parts_.stop));
  const StepLabel label{.id = parts_.told.NextId(),
                        .stage = stage_.Display(index_),
                        .number = ++number_,
                        .of = of_,
                        .text = DisplayOf(instruction),
                        .line = instruction.first_line};
  parts_.told.Tell({.kind = BuildEvent::Kind::kBegan, .step = label});
  const auto began = SteadyNow();
  const auto done = [&]() -> Result<bool> {
    const df::Expanded expanded = TRY(variables_.Step(instruction));
    for (const std::string& name : expanded.unset)
      parts_.told.Warn(instruction.first_line, "the variable $" + name + " is not set");
    return Dispatch(expanded.instruction, label);
  }();
  BuildEvent ended{.kind = BuildEvent::Kind::kEnded, .step = label};
  ended.took = std::chrono::duration_cast<Millis>(SteadyNow() - began);
  ended.failed = !done || !*done;
  parts_.told.Tell(ended);
  if (done) return done;
  Error error = done.error();
  // What the language itself says has its line already.
  if (error.message().starts_with("line "))
    return Failure(std::move(error).WithContext(parts_.request.file_name));
  return Failure(std::move(error).WithContext(parts_.told.PlaceOf(label)));
}

Result<bool> Stage::Dispatch(const df::Instruction& step, const StepLabel& label) {
  if (const auto* run = step.As<df::Run>()) return DoRun(*run, step, label);
  if (const auto* copy = step.As<df::Copy>()) {
    FileTree below = TRY(TreeOf(chain_));
    return DoCopy(TRY(InputsOf(parts_, index_, *copy, below, WorkingDir())), step, label);
  }
  if (const auto* add = step.As<df::Add>()) return DoAdd(*add, step, label);
  TRY(changes_.Apply(step));
  if (step.As<df::Workdir>() != nullptr) return DoWorkdir(step, label);
  NoteHistory(step, /*has_layer=*/false);
  return true;
}

Result<bool> Stage::AddLayer(const std::string& key, const df::Instruction& step,
                             const StepLabel& label, const Make& make) {
  auto claim = TRY(parts_.layers.FindOrClaim(key));
  parts_.told.CountStep(claim.found().has_value());
  if (claim.found()) {
    parts_.told.Tell({.kind = BuildEvent::Kind::kCached, .step = label});
    chain_.layers.push_back(*claim.found());
  } else {
    NewLayer layer = TRY(parts_.layers.Begin());
    const std::optional<LayerContent> content = TRY(make(layer));
    if (!content) return false;
    TRY(CountWritten(content->bytes));
    chain_.layers.push_back(claim.Finish(std::move(layer), *content));
  }
  chain_.key = key;
  NoteHistory(step, /*has_layer=*/true);
  return true;
}

// What a step writes is bounded by its own limits; this, by what all of them wrote.
Result<void> Stage::CountWritten(Bytes bytes) {
  const Bytes most = parts_.request.max_bytes;
  if (parts_.written.fetch_add(bytes) + bytes <= most || most == 0) return {};
  return Failure(
      Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
            "the build has written more than " + HumanBytes(most) + ", which is the maximum"));
}

Result<void> Stage::FillRun(const df::Run& run, RunStep& step, StepKey& key) {
  TRY(CheckSupported(run));
  const df::RunProgram program = df::ProgramOf(run, df::ShellOf(changes_.config()));
  step.argv = program.argv;
  if (program.file) {
    step.files.push_back({.path = program.file->path, .content = program.file->content});
    key.Add("file", program.file->path).Add("content", program.file->content);
  }
  step.cwd = WorkingDir();
  // By its number: an image may have no passwd.
  step.user = process().user.empty() ? "0" : process().user;
  step.network = run.network == df::RunNetwork::kDefault;
  key.Add("owner", parts_.request.owner)
      .Add("parent", chain_.key)
      .Add("argv", step.argv)
      .Add("cwd", step.cwd)
      .Add("user", step.user)
      .Add("network", step.network ? "yes" : "no");
  step.env = EnvironmentOf(variables_.all(), parts_.request, key);
  return {};
}

Result<bool> Stage::DoRun(const df::Run& run, const df::Instruction& instruction,
                          const StepLabel& label) {
  RunStep step;
  StepKey key("run");
  TRY(FillRun(run, step, key));
  FileTree below = TRY(TreeOf(chain_));
  RunMounts mounts(parts_, index_);
  TRY(mounts.Look(run.mounts, below, step.cwd, key));
  return AddLayer(TRY(key.Finish()), instruction, label,
                  [&](const NewLayer& layer) { return MakeRun(step, mounts, layer, label); });
}

Result<std::optional<LayerContent>> Stage::MakeRun(RunStep& step, RunMounts& mounts,
                                                   const NewLayer& layer, const StepLabel& label) {
  TRY(mounts.Prepare(step));
  const bool has_network = step.network && parts_.machine.network != nullptr;
  if (has_network && !parts_.request.authorities.empty()) Trust(step, parts_.request.authorities);
  OutputEnd output;
  const StepEnd end = TRY(parts_.runner.Run(
      step, chain_.Roots(), layer.root(), [&](OutputStream stream, std::string_view bytes) {
        output.Add(bytes);
        BuildEvent event{.kind = BuildEvent::Kind::kOutput, .step = label};
        event.stream = stream;
        event.bytes = bytes;
        parts_.told.Tell(event);
      }));
  TRY(mounts.Keep(end));
  if (!end.succeeded()) {
    parts_.told.Fail({.step = label, .end = end, .output_end = output.Text()});
    return std::nullopt;
  }
  const LayerContent content{.bytes = end.written.bytes,
                             .entries = end.written.entries,
                             .notes = templates::NotesOf(end.written)};
  if (const std::string lost = templates::DescribeNotes(content.notes); !lost.empty())
    parts_.told.Note(label, lost);
  return content;
}

Result<CopyPlan> Stage::PlanOf(const CopyRequest& request, std::span<const Fd> lower,
                               const StepLabel& label) {
  CopyPlan plan = TRY(PlanCopy(request, lower));
  for (const CopyPlan::Unmatched& pattern : plan.unmatched()) {
    parts_.told.Note(label, "nothing matches " + pattern.pattern +
                                (pattern.only_ignored ? " but what .dockerignore leaves out" : ""));
  }
  if (plan.skipped_special() > 0) {
    parts_.told.Note(
        label, "left out sockets, FIFOs and devices: " + std::to_string(plan.skipped_special()) +
                   ", the first is " + plan.first_skipped());
  }
  return plan;
}

Result<bool> Stage::DoCopy(CopyInputs inputs, const df::Instruction& step, const StepLabel& label) {
  const std::vector<Fd> lower = TRY(chain_.OpenRoots());
  CopyPlan plan = TRY(PlanOf(inputs.request, lower, label));
  return AddCopy(plan, lower, step, label);
}

// All that decides what the layer of fetched sources is, where it is known what they are.
Result<std::string> Stage::KeyOfPinned(const df::Add& add, const AddSources& sources) const {
  return StepKey("add")
      .Add("owner", parts_.request.owner)
      .Add("parent", chain_.key)
      .Add("sources", sources.Pins())
      .Add("destination", add.files.destination)
      .Add("cwd", WorkingDir())
      .Add("chown", add.files.chown)
      .Add("chmod", add.files.chmod)
      .Add("link", add.files.link ? "yes" : "no")
      .Add("excludes", add.files.excludes)
      .Add("unpack", add.unpack.value_or(false) ? "yes" : "no")
      .Finish();
}

Result<bool> Stage::DoAdd(const df::Add& add, const df::Instruction& step, const StepLabel& label) {
  AddSources sources = TRY(AddSources::Look(parts_, label, add));
  FileTree below = TRY(TreeOf(chain_));
  const auto fetch = [&]() -> Result<CopyInputs> {
    return InputsOf(parts_, add, below, WorkingDir(), TRY(sources.Fetch()));
  };
  if (!sources.pinned()) return DoCopy(TRY(fetch()), step, label);
  return AddLayer(TRY(KeyOfPinned(add, sources)), step, label,
                  [&](const NewLayer& layer) -> Result<std::optional<LayerContent>> {
                    const std::vector<Fd> lower = TRY(chain_.OpenRoots());
                    const CopyInputs inputs = TRY(fetch());
                    CopyPlan plan = TRY(PlanOf(inputs.request, lower, label));
                    return MakeCopy(plan, lower, std::nullopt, layer);
                  });
}

Result<std::optional<LayerContent>> Stage::MakeCopy(CopyPlan& plan, std::span<const Fd> lower,
                                                    const std::optional<std::string>& digest,
                                                    const NewLayer& layer) {
  const Fd root = TRY(templates::OpenLayerRoot(layer.root()));
  templates::ImportOptions watched;
  watched.is_stopped = [this] { return parts_.stop.stopped(); };
  templates::ImportWatch watch(watched);
  ApplyOptions options{.expected_digest = digest};
  options.layer.on_progress = [&](const templates::LayerProgress& now) {
    return watch.Note({now.entries, now.bytes}, root);
  };
  const auto report = TRY(ApplyCopy(plan, lower, root, options));
  return LayerContent{.bytes = report.unpacked.bytes,
                      .entries = report.unpacked.entries,
                      .notes = templates::NotesOf(report.unpacked)};
}

Result<bool> Stage::AddCopy(CopyPlan& plan, std::span<const Fd> lower, const df::Instruction& step,
                            const StepLabel& label) {
  if (plan.empty()) {
    NoteHistory(step, /*has_layer=*/false);
    return true;
  }
  const std::string digest = TRY(CopyDigest(plan));
  const std::string key = TRY(StepKey("copy")
                                  .Add("owner", parts_.request.owner)
                                  .Add("parent", chain_.key)
                                  .Add("content", digest)
                                  .Finish());
  return AddLayer(key, step, label,
                  [&](const NewLayer& layer) { return MakeCopy(plan, lower, digest, layer); });
}

Result<bool> Stage::DoWorkdir(const df::Instruction& step, const StepLabel& label) {
  FileTree below = TRY(TreeOf(chain_));
  Owner owner;
  // As BuildKit does it; a name that is not there yet is nobody's whom it could belong to.
  const auto named = ResolveOwner(below, process().user);
  if (named) owner = *named;
  if (!named && named.error().code() != ErrorCode::kNotFound) return Failure(named.error());
  const std::vector<Fd> lower = TRY(chain_.OpenRoots());
  CopyPlan plan = TRY(PlanDirectory(WorkingDir(), owner, lower));
  return AddCopy(plan, lower, step, label);
}

// What the ONBUILD of an image says.
Result<std::vector<df::Instruction>> TriggersOf(const templates::oci::ImageConfig& config) {
  std::vector<df::Instruction> triggers;
  for (const std::string& text : config.process.on_build) {
    auto trigger = df::ParseInstruction(text);
    if (!trigger)
      return Failure(std::move(trigger).error().WithContext("the ONBUILD of the image"));
    triggers.push_back(*std::move(trigger));
  }
  return triggers;
}

}  // namespace

Result<std::optional<StageEnd>> BuildStage(BuildParts& parts, size_t index) {
  const df::Stage& stage = parts.stages.all().at(index);
  StepLabel from{.id = parts.told.NextId(),
                 .stage = stage.Display(index),
                 .number = 1,
                 .of = 1 + stage.triggers.size() + stage.instructions.size(),
                 .text = DisplayOf(*stage.from),
                 .line = stage.from->first_line};
  parts.told.Tell({.kind = BuildEvent::Kind::kBegan, .step = from});
  const auto began = SteadyNow();
  const auto base = [&]() -> Result<Base> {
    if (stage.base) {
      const StageEnd& ended = *parts.ended.at(*stage.base);
      return Base{.chain = ended.chain, .config = ended.WholeConfig()};
    }
    if (stage.image == "scratch")
      return ScratchBase(stage.platform.value_or(
          parts.request.platform.value_or(templates::oci::Platform::Native())));
    return parts.bases.Find(stage.image, stage.platform ? stage.platform : parts.request.platform);
  }();
  BuildEvent ended{.kind = BuildEvent::Kind::kEnded, .step = from};
  ended.took = std::chrono::duration_cast<Millis>(SteadyNow() - began);
  ended.failed = !base;
  parts.told.Tell(ended);
  if (!base) {
    return Failure(Error(base.error()).WithContext(parts.told.PlaceOf(from)));
  }
  std::vector<df::Instruction> triggers = stage.triggers;
  if (!stage.base) triggers = TRY(TriggersOf(base->config));
  from.of = 1 + triggers.size() + stage.instructions.size();
  const df::StageVariables variables =
      stage.base ? parts.ended.at(*stage.base)->variables
                 : df::StageVariables(parts.stages, base->config.process.env);
  Stage building(parts, index, base->chain, base->config, variables);
  if (!TRY(building.Do(from, std::move(triggers)))) return std::nullopt;
  return std::move(building).Take();
}

}  // namespace cay::build
