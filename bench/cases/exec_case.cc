#include "cases/cases.h"
#include "subjects/process.h"

namespace cay::bench {

Result<void> MeasureExec(Context& context) {
  const Island::Made made = TRY(context.island.Create(engine::Scratch::kAuto));
  const std::vector<std::string> argv{"/usr/bin/true"};
  const std::vector<Contender> contenders{
      {.name = "vfork, exec, wait on the host", .operation = [&] { return RunQuietly(argv); }},
      {.name = "exec in a live sandbox",
       .operation = [&] { return context.island.Run(made.id, argv); }}};
  Result<std::vector<Samples>> all =
      MeasureInTurn(contenders, {.rounds = context.rounds * 5, .warm_up = 20});
  TRY(context.island.Destroy(made.id));
  if (!all) return Failure(std::move(all).error());

  Section& section = context.report.AddSection("exec true in a live sandbox");
  for (const Samples& samples : *all) section.AddSamples(samples);
  const double host_ms = (*all)[0].Percentile(50) / 1000;
  section.AddBudget("p50 (ms), at most 1.3 × host + 0.2", (*all)[1].Percentile(50) / 1000,
                    1.3 * host_ms + 0.2);
  return {};
}

}  // namespace cay::bench
