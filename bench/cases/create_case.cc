#include <array>
#include <thread>

#include "cases/cases.h"
#include "subjects/process.h"

namespace cay::bench {
namespace {

using engine::Scratch;

// Some five times what an unmount takes.
constexpr std::chrono::milliseconds kRest(10);

// The parts of "create → exec true → destroy" of one kind of writable layer.
struct Parts {
  explicit Parts(const std::string& kind)
      : create("create, " + kind), exec("exec true, " + kind), destroy("destroy, " + kind) {}
  Samples create;
  Samples exec;
  Samples destroy;
  std::vector<Samples> stages;  // as the first create had them
};

Result<void> CreateExecDestroy(Island& island, Scratch scratch, Parts& parts) {
  const Stopwatch create;
  const Island::Made made = TRY(island.Create(scratch));
  parts.create.Add(create.microseconds());
  const engine::StageTimes& times = made.created.stage_us;
  if (parts.stages.empty()) {
    for (const engine::StageTime& time : times) parts.stages.emplace_back("  stage " + time.name);
  }
  for (size_t i = 0; i < times.size(); ++i) parts.stages.at(i).Add(times[i].us);
  const Stopwatch exec;
  TRY(island.Run(made.id, {"/usr/bin/true"}));
  parts.exec.Add(exec.microseconds());
  const Stopwatch destroy;
  TRY(island.Destroy(made.id));
  parts.destroy.Add(destroy.microseconds());
  return {};
}

void AddPeer(Result<Contender> peer, std::vector<Contender>& contenders, Section& section) {
  if (peer) {
    contenders.push_back(std::move(*peer));
  } else {
    section.AddNote("left out: " + peer.error().ToString());
  }
}

const Samples* Find(const std::vector<Samples>& all, std::string_view name) {
  for (const Samples& samples : all) {
    if (samples.name() == name) return &samples;
  }
  return nullptr;
}

void AddRatio(Section& section, const std::vector<Samples>& all, const std::string& name,
              const std::string& peer, double limit) {
  const Samples* ours = Find(all, name);
  const Samples* theirs = Find(all, peer);
  if (ours == nullptr || theirs == nullptr) return;
  section.AddBudget(name + " / " + peer, ours->Percentile(50) / theirs->Percentile(50), limit);
}

void ReportParts(Context& context, const Parts& disk, const Parts& memory) {
  Section& create = context.report.AddSection("create in the engine, until a command can start");
  create.AddSamples(disk.create);
  for (const Samples& stage : disk.stages) create.AddSamples(stage);
  create.AddSamples(memory.create);
  for (const Samples& stage : memory.stages) create.AddSamples(stage);
  create.AddBudget("p50, disk layer (ms)", disk.create.Percentile(50) / 1000, 2.5);
  create.AddBudget("p50, memory layer (ms)", memory.create.Percentile(50) / 1000, 2.0);

  Section& destroy = context.report.AddSection("destroy, until it returns");
  destroy.AddSamples(disk.destroy);
  destroy.AddSamples(memory.destroy);
  destroy.AddBudget("p50, disk layer (ms)", disk.destroy.Percentile(50) / 1000, 1.0);
  destroy.AddBudget("p50, memory layer (ms)", memory.destroy.Percentile(50) / 1000, 1.0);
}

// Polls for at most a second after the last destroy.
Result<void> ReportLeftovers(Context& context) {
  Section& section = context.report.AddSection("left on the machine after the last destroy");
  const Stopwatch stopwatch;
  std::vector<std::string> left = TRY(context.island.Leftovers());
  while (!left.empty() && stopwatch.microseconds() < 1e6) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    left = TRY(context.island.Leftovers());
  }
  const double gone_ms = stopwatch.microseconds() / 1000;
  section.AddRow({.name = "until nothing is left", .p50 = gone_ms, .p99 = gone_ms, .count = 1});
  section.AddBudget("things left 1 s later", static_cast<double>(left.size()), 0);
  for (const std::string& thing : left) section.AddNote("left: " + thing);
  return {};
}

}  // namespace

Result<void> MeasureCreate(Context& context) {
  Section& section = context.report.AddSection("create → exec true → destroy");
  Parts disk("disk layer");
  Parts memory("memory layer");
  std::vector<Contender> contenders;
  contenders.push_back({.name = "engine, disk layer", .operation = [&] {
                          return CreateExecDestroy(context.island, Scratch::kDisk, disk);
                        }});
  contenders.push_back({.name = "engine, memory layer", .operation = [&] {
                          return CreateExecDestroy(context.island, Scratch::kMemory, memory);
                        }});
  contenders.push_back({.name = "cay run -- true", .operation = [&] {
                          return RunQuietly({context.cay, "run", "--", "/usr/bin/true"});
                        }});
  AddPeer(PrepareBubblewrap(), contenders, section);
  AddPeer(PrepareRunc(context.work), contenders, section);
  std::optional<Docker> docker;
  if (context.docker) {
    Result<Docker> started = Docker::Start(context.work);
    if (started) {
      docker.emplace(std::move(*started));
      contenders.push_back(docker->RunTrue());
    } else {
      section.AddNote("left out: " + started.error().ToString());
    }
  }
  const std::vector<Samples> all =
      TRY(MeasureInTurn(contenders, {.rounds = context.rounds, .warm_up = 5, .rest = kRest}));
  for (const Samples& samples : all) section.AddSamples(samples);
  AddRatio(section, all, "engine, disk layer", "bubblewrap", 0.8);
  AddRatio(section, all, "engine, disk layer", "runc", 1.0 / 6);
  AddRatio(section, all, "engine, memory layer", "bubblewrap", 0.8);
  AddRatio(section, all, "cay run -- true", "bubblewrap", 1.5);
  ReportParts(context, disk, memory);
  return ReportLeftovers(context);
}

}  // namespace cay::bench
