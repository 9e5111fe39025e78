#include "cases/cases.h"
#include "machine_memory.h"

namespace cay::bench {
namespace {

constexpr int kIdle = 500;
constexpr double kBudgetKib = 400;

struct Idle {
  std::vector<SandboxId> made;
  double group_kib = 0;  // what their cgroups are charged with, together
};

Result<Idle> MakeIdle(Island& island, engine::Scratch scratch) {
  Idle idle;
  for (int i = 0; i < kIdle; ++i) {
    idle.made.push_back(TRY(island.Create(scratch, 64 * kMiB)).id);
  }
  for (const SandboxId& id : idle.made) {
    const engine::Stats stats = TRY(island.engine().GetStats(id));
    idle.group_kib += static_cast<double>(stats.memory.value_or(0)) / 1024;
  }
  return idle;
}

Result<void> MeasureKind(Context& context, Section& section, engine::Scratch scratch,
                         const std::string& kind) {
  // What the first sandboxes bring into the caches is not theirs.
  for (int i = 0; i < 5; ++i) {
    const Island::Made made = TRY(context.island.Create(scratch, 64 * kMiB));
    TRY(context.island.Destroy(made.id));
  }
  const double before = TRY(AvailableKib());
  const Idle idle = TRY(MakeIdle(context.island, scratch));
  const double each = (before - TRY(AvailableKib())) / kIdle;
  for (const SandboxId& id : idle.made) TRY(context.island.Destroy(id));
  const double charged = idle.group_kib / kIdle;
  section.AddRow(
      {.name = "of the machine, " + kind, .unit = "KiB", .p50 = each, .p99 = each, .count = kIdle});
  section.AddRow({.name = "charged to its cgroup, " + kind,
                  .unit = "KiB",
                  .p50 = charged,
                  .p99 = charged,
                  .count = kIdle});
  section.AddBudget("of the machine (KiB), " + kind, each, kBudgetKib);
  return {};
}

}  // namespace

Result<void> MeasureMemory(Context& context) {
  Section& section = context.report.AddSection("memory of an idle sandbox, mean of 500");
  TRY(MeasureKind(context, section, engine::Scratch::kDisk, "disk layer"));
  return MeasureKind(context, section, engine::Scratch::kMemory, "memory layer");
}

}  // namespace cay::bench
