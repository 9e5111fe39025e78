#include "cases/cases.h"
#include "subjects/host_stream.h"

namespace cay::bench {
namespace {

constexpr Bytes kStreamBytes = 512 * kMiB;

const std::vector<std::string>& Producer() {
  static const std::vector<std::string> kArgv{"/usr/bin/head", "-c", std::to_string(kStreamBytes),
                                              "/dev/zero"};
  return kArgv;
}

Error Short(Bytes got) {
  return {ErrorCode::kIo, Fault::kMachine,
          "output lost: " + std::to_string(got) + " of " + std::to_string(kStreamBytes) + " bytes"};
}

Result<void> ThroughGuest(Island& island, const SandboxId& id) {
  Bytes total = 0;
  TRY(island.Run(id, Producer(), [&](std::string_view bytes) -> Result<void> {
    total += bytes.size();
    return {};
  }));
  if (total != kStreamBytes) return Failure(Short(total));
  return {};
}

Row Throughput(const Samples& samples) {
  const double mib = static_cast<double>(kStreamBytes) / static_cast<double>(kMiB);
  return {.name = samples.name(),
          .unit = "MiB/s",
          .p50 = mib / (samples.Percentile(50) / 1e6),
          .p99 = mib / (samples.Percentile(99) / 1e6),
          .count = samples.count()};
}

}  // namespace

Result<void> MeasureStream(Context& context) {
  const Island::Made made = TRY(context.island.Create(engine::Scratch::kAuto));
  const std::vector<Contender> contenders{
      {.name = "a pipe and a socket on the host",
       .operation = [] { return ThroughPipeAndSocket(kStreamBytes); }},
      {.name = "stdout of a sandbox, through the guest channel",
       .operation = [&] { return ThroughGuest(context.island, made.id); }}};
  Result<std::vector<Samples>> all = MeasureInTurn(contenders, {.rounds = 7, .warm_up = 1});
  TRY(context.island.Destroy(made.id));
  if (!all) return Failure(std::move(all).error());

  Section& section = context.report.AddSection("512 MiB of output");
  const Row host = Throughput((*all)[0]);
  const Row ours = Throughput((*all)[1]);
  section.AddRow(host);
  section.AddRow(ours);
  section.AddFloor("of the host's throughput", ours.p50 / host.p50, 0.5);
  return {};
}

}  // namespace cay::bench
