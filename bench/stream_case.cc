#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/file.h"
#include "cases.h"
#include "process.h"

namespace cay::bench {
namespace {

constexpr Bytes kStreamBytes = 512 * kMiB;
constexpr size_t kBufferBytes = 64 * 1024;

const std::vector<std::string>& Producer() {
  static const std::vector<std::string> kArgv{"/usr/bin/head", "-c", std::to_string(kStreamBytes),
                                              "/dev/zero"};
  return kArgv;
}

Error Short(Bytes got) {
  return {ErrorCode::kIo, Fault::kMachine,
          "output lost: " + std::to_string(got) + " of " + std::to_string(kStreamBytes) + " bytes"};
}

// The least that any server does with output: a pipe from the program, a socket to the reader.
Result<void> ThroughPipeAndSocket() {
  const SocketPair sockets = TRY(MakeSocketPair(SOCK_STREAM));
  const Started started = TRY(StartWithOutput(Producer()));
  std::jthread relay([&] {
    std::string buffer(kBufferBytes, '\0');
    for (;;) {
      const ssize_t got = read(started.output.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      const std::string_view bytes(buffer.data(), static_cast<size_t>(got));
      if (!WriteAll(sockets.first.get(), bytes)) break;
    }
    shutdown(sockets.first.get(), SHUT_WR);
  });
  std::string buffer(kBufferBytes, '\0');
  Bytes total = 0;
  for (;;) {
    const ssize_t got = read(sockets.second.get(), buffer.data(), buffer.size());
    if (got <= 0) break;
    total += static_cast<Bytes>(got);
  }
  TRY(WaitFor(started.pid, Producer()[0]));
  if (total != kStreamBytes) return Failure(Short(total));
  return {};
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
      {.name = "a pipe and a socket on the host", .operation = ThroughPipeAndSocket},
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
