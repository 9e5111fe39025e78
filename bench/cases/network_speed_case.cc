// What lies between a program and a server: the time to a connection's first byte, and bytes a
// second, on one processor and on two, beside what else gives confined programs a network.
#include <sched.h>

#include <thread>

#include "cases/cases.h"
#include "subjects/network_ways.h"

namespace cay::bench {
namespace {

constexpr int kRounds = 10;
constexpr int kRoundsOfBytes = 7;
constexpr Bytes kBytes = 512 * kMiB;
constexpr std::string_view kRelayed = "a sandbox, through the relay to the host";
constexpr double kGiBs = 1024 * 1024 * 1024;

// This process, and all that it starts from now on.
class OnProcessors {
 public:
  explicit OnProcessors(int count) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t set;
    CPU_ZERO(&set);
    int taken = 0;
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && taken < count; --cpu) {
      if (!CPU_ISSET(cpu, &before_)) continue;
      CPU_SET(cpu, &set);
      ++taken;
    }
    ::sched_setaffinity(0, sizeof set, &set);
  }
  OnProcessors(const OnProcessors&) = delete;
  OnProcessors& operator=(const OnProcessors&) = delete;
  ~OnProcessors() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
};

struct Ways {
  ProbeServers ports;
  std::vector<Way> all;
  std::vector<std::string> notes;
};

Result<Ways> StartWays(Context& context, const HttpServer& server) {
  Ways ways;
  Way host{.name = "loopback of the host", .probe = context.probe, .address = "127.0.0.1"};
  ways.ports = TRY(ServeHere(context.probe, context.work, host));
  ways.all.push_back(std::move(host));
  for (Way& way : TRY(StartSandboxes(context.cay, server, context.probe, ways.ports)))
    ways.all.push_back(std::move(way));
  const auto add = [&](Result<Way> way) {
    if (way) {
      ways.all.push_back(*std::move(way));
    } else {
      ways.notes.push_back(way.error().ToString());
    }
  };
  add(StartSlirp(context.work, context.probe));
  add(StartPasta(context.work, context.probe));
  if (context.docker) add(StartDockerBridge(context.work, context.probe, ways.ports));
  return ways;
}

const Row* RowOf(const Section& section, std::string_view name) {
  for (const Row& row : section.rows())
    if (row.name == name) return &row;
  return nullptr;
}

Result<void> MeasureFirst(const Context& context, const Ways& ways, Section& section) {
  std::vector<Samples> samples;
  for (const Way& way : ways.all) samples.emplace_back(way.name);
  const std::string count = std::to_string(std::max(1, context.rounds / 4));
  for (int round = -1; round < kRounds; ++round) {
    for (size_t i = 0; i < ways.all.size(); ++i) {
      const Way& way = ways.all[i];
      for (const double us : TRY(way.Ask({"first", way.address, ways.ports.first_port, count})))
        if (round >= 0) samples[i].Add(us);
    }
  }
  for (const Samples& each : samples) section.AddSamples(each);
  // What is confined pays for that, too: each is compared with the loopback of its own place.
  const Row* const host = RowOf(section, "loopback of the host");
  const Row* const inside = RowOf(section, "loopback inside a sandbox");
  const Row* const ours = RowOf(section, kRelayed);
  const Row* const slirp = RowOf(section, "slirp4netns");
  if (host != nullptr && inside != nullptr && ours != nullptr && slirp != nullptr)
    section.AddBudget("first byte p50 (ms), what the relay adds, at most what slirp4netns does",
                      ours->p50 - inside->p50, slirp->p50 - host->p50);
  return {};
}

Result<void> MeasureBytes(const Ways& ways, Section& section) {
  std::vector<Samples> samples;
  for (const Way& way : ways.all) samples.emplace_back(way.name);
  for (int round = -1; round < kRoundsOfBytes; ++round) {
    for (size_t i = 0; i < ways.all.size(); ++i) {
      const Way& way = ways.all[i];
      const auto us =
          TRY(way.Ask({"bytes", way.address, ways.ports.bytes_port, std::to_string(kBytes)}));
      if (round >= 0) samples[i].Add(us[0]);
    }
  }
  const auto rate = [](double us) { return static_cast<double>(kBytes) / kGiBs / (us / 1e6); };
  for (const Samples& each : samples)
    section.AddRow({.name = each.name(),
                    .unit = "GiB/s",
                    .p50 = rate(each.Percentile(50)),
                    .p99 = rate(each.Percentile(99)),
                    .count = each.count()});
  const Row* const ours = RowOf(section, kRelayed);
  if (const Row* const slirp = RowOf(section, "slirp4netns"); ours != nullptr && slirp != nullptr)
    section.AddFloor("through the relay (GiB/s), at least slirp4netns's", ours->p50, slirp->p50);
  return {};
}

Result<void> MeasureOn(Context& context, int processors) {
  const std::string where = processors == 1 ? "one processor" : "two processors";
  const OnProcessors pinned(processors);
  const HttpServer server =
      TRY(HttpServer::Start(context.cay, context.work.path() + "/speed-" + where.substr(0, 3),
                            {"--set", "network.private_allowed=host.cay.internal"}));
  const Ways ways = TRY(StartWays(context, server));
  Section& first = context.report.AddSection("a connection's first byte, all of it on " + where);
  TRY(MeasureFirst(context, ways, first));
  Section& bytes = context.report.AddSection("512 MiB received, all of it on " + where);
  TRY(MeasureBytes(ways, bytes));
  for (const std::string& note : ways.notes) bytes.AddNote("without: " + note);
  return {};
}

}  // namespace

Result<void> MeasureNetworkSpeed(Context& context) {
  TRY(MeasureOn(context, 1));
  if (std::thread::hardware_concurrency() < 2) return {};
  return MeasureOn(context, 2);
}

}  // namespace cay::bench
