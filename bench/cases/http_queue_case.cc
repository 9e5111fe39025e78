// What waits for the launcher: cycles of one client and of many, bursts, what runs beside a storm
// of creates, a reset.
#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "at_once.h"
#include "cases/cases.h"
#include "server_metrics.h"
#include "subjects/http_server.h"

namespace cay::bench {
namespace {

constexpr std::string_view kSmall = R"({"disk_limit":"64m","pids_limit":100})";
constexpr std::string_view kExecuteTrue = R"({"command":["true"]})";
// What go-judge does with one request: a sandbox is taken, `true` runs in it, and it is cleared.
constexpr std::string_view kJudgeTrue =
    R"({"cmd":[{"args":["/usr/bin/true"],"env":["PATH=/usr/bin:/bin"],"files":[{"content":""},)"
    R"({"name":"stdout","max":10240},{"name":"stderr","max":10240}],"cpuLimit":10000000000,)"
    R"("memoryLimit":104857600,"procLimit":50}]})";

constexpr int kClients = 32;
constexpr int kStorm = 8;

using Cycle = std::function<Result<void>(HttpCaller&)>;

Result<void> CycleHere(HttpCaller& caller) {
  const std::string id = TRY(caller.CreateSandbox(std::string(kSmall)));
  const auto done =
      caller.Call("POST", "/api/sandboxes/" + id + "/execute", std::string(kExecuteTrue), 200);
  TRY(caller.DestroySandbox(id));
  return done ? Result<void>() : Failure(done.error());
}

Result<void> CycleOfJudge(HttpCaller& caller) {
  const std::string answer = TRY(caller.Call("POST", "/run", std::string(kJudgeTrue), 200));
  if (answer.find("\"Accepted\"") != std::string::npos) return {};
  return Failure(Error(ErrorCode::kIo, Fault::kMachine, "go-judge: " + answer));
}

struct Run {
  std::string name;
  const http::Url& url;
  Cycle cycle;
  int clients = 1;
  int cycles = 0;
};

// Cycles a second, and a row for each of them.
Result<double> MeasureCycles(const Run& run, Section& section) {
  Tally tally("each: " + run.name);
  std::atomic<int> next = 0;
  const double wall = AtOnce(run.url, run.clients, [&](HttpCaller& own) {
    while (next++ < run.cycles) {
      const Stopwatch stopwatch;
      const Result<void> done = run.cycle(own);
      tally.Add(stopwatch.microseconds(), done);
    }
  });
  const double rate = static_cast<double>(tally.samples().count()) / (wall / 1e6);
  section.AddRow({.name = run.name,
                  .unit = "1/s",
                  .p50 = rate,
                  .p99 = rate,
                  .count = tally.samples().count()});
  section.AddSamples(tally.samples());
  if (tally.failure().empty()) return rate;
  return Failure(Error(ErrorCode::kIo, Fault::kMachine, run.name + ": " + tally.failure()));
}

std::optional<http::Url> Judge(const Context& context) {
  if (context.go_judge.empty()) return std::nullopt;
  auto url = http::Url::Parse(context.go_judge);
  return url ? std::optional(*std::move(url)) : std::nullopt;
}

Result<void> MeasureCycles(Context& context, const HttpServer& server) {
  Section& section = context.report.AddSection("cycles over HTTP: create, execute true, destroy");
  const int few = context.rounds * 2;
  const int many = context.rounds * 10;
  const std::optional<http::Url> judge = Judge(context);
  TRY(MeasureCycles({"to warm up", server.url(), CycleHere, 4, context.rounds}, section));
  const double one = TRY(MeasureCycles({"1 client", server.url(), CycleHere, 1, few}, section));
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  const ServerMetrics before = TRY(ServerMetrics::Of(caller));
  const double all =
      TRY(MeasureCycles({"32 clients", server.url(), CycleHere, kClients, many}, section));
  for (Row& row : TRY(ServerMetrics::Of(caller)).Since(before)) section.AddRow(std::move(row));
  section.AddFloor("32 clients, at least 1.6 × one (1/s)", all, 1.6 * one);
  if (!judge) {
    section.AddFloor("32 clients (1/s)", all, 300);
    return {};
  }
  TRY(MeasureCycles({"go-judge, 1 client", *judge, CycleOfJudge, 1, few}, section));
  const double theirs =
      TRY(MeasureCycles({"go-judge, 32 clients", *judge, CycleOfJudge, kClients, many}, section));
  section.AddFloor("32 clients, at least go-judge's (1/s)", all, theirs);
  return {};
}

// All made at once, and destroyed.
Result<double> Burst(const HttpServer& server, int count, Section& section) {
  const std::string what = std::to_string(count) + " at once";
  Tally creates("create, each of " + what);
  std::mutex mutex;
  std::vector<std::string> made;
  const double wall = AtOnce(server.url(), count, [&](HttpCaller& own) {
    const Stopwatch stopwatch;
    Result<std::string> id = own.CreateSandbox(std::string(kSmall));
    creates.Add(stopwatch.microseconds(), id ? Result<void>() : Failure(id.error()));
    const std::scoped_lock lock(mutex);
    if (id) made.push_back(*std::move(id));
  });
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  for (const std::string& id : made) TRY(caller.DestroySandbox(id));
  section.AddSamples(creates.samples());
  Row row = Wall(wall);
  row.name = "wall of " + what;
  section.AddRow(std::move(row));
  section.AddFloor("of " + what + " that succeed", static_cast<double>(made.size()), count);
  if (!creates.failure().empty()) section.AddNote("the first failure: " + creates.failure());
  return wall / 1000;
}

Result<void> MeasureBursts(Context& context, const HttpServer& server) {
  Section& section = context.report.AddSection("bursts of creates over HTTP");
  const double hundred = TRY(Burst(server, 100, section));
  if (const auto judge = Judge(context)) {
    Tally runs("go-judge, each of 100 at once");
    const double wall = AtOnce(*judge, 100, [&](HttpCaller& own) {
      const Stopwatch stopwatch;
      const Result<void> done = CycleOfJudge(own);
      runs.Add(stopwatch.microseconds(), done);
    });
    section.AddSamples(runs.samples());
    section.AddBudget("wall of 100 (ms), at most go-judge's", hundred, wall / 1000);
  } else {
    section.AddBudget("wall of 100 (ms)", hundred, 410);
  }
  section.AddBudget("wall of 1000 (ms)", TRY(Burst(server, 1000, section)), 3000);
  return {};
}

Result<Samples> Executes(const Context& context, const HttpServer& server, std::string name) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  const std::string id = TRY(caller.CreateSandbox("{}"));
  const std::string target = "/api/sandboxes/" + id + "/execute";
  Samples samples(std::move(name));
  for (int i = 0; i < context.rounds * 2; ++i) {
    const Stopwatch stopwatch;
    TRY(caller.Call("POST", target, std::string(kExecuteTrue), 200));
    samples.Add(stopwatch.microseconds());
  }
  TRY(caller.DestroySandbox(id));
  return samples;
}

Result<void> MeasureBeside(Context& context, const HttpServer& server) {
  Section& section = context.report.AddSection("execute true beside a storm of creates");
  const Samples quiet = TRY(Executes(context, server, "execute, quiet"));
  std::atomic<bool> over = false;
  std::jthread storm([&] {
    AtOnce(server.url(), kStorm, [&](HttpCaller& own) {
      while (!over) {
        const auto id = own.CreateSandbox(std::string(kSmall));
        if (!id || !own.DestroySandbox(*id)) return;
      }
    });
  });
  auto beside = Executes(context, server, "execute, beside 8 clients that create and destroy");
  over = true;
  storm.join();
  const Samples stormy = TRY(std::move(beside));
  section.AddSamples(quiet);
  section.AddSamples(stormy);
  section.AddBudget("p99 beside the storm (ms), at most 3 × quiet", stormy.Percentile(99) / 1000,
                    3 * quiet.Percentile(99) / 1000);
  return {};
}

Result<void> MeasureReset(Context& context, const HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  const std::string kept = TRY(caller.CreateSandbox(std::string(kSmall)));
  std::string id = TRY(caller.CreateSandbox(std::string(kSmall)));
  const std::vector<Contender> contenders{
      {.name = "destroy and create",
       .operation = [&]() -> Result<void> {
         TRY(caller.DestroySandbox(id));
         id = TRY(caller.CreateSandbox(std::string(kSmall)));
         return {};
       }},
      {.name = "reset", .operation = [&]() -> Result<void> {
         TRY(caller.Call("POST", "/api/sandboxes/" + kept + "/reset", "", 200));
         return {};
       }}};
  const auto samples = TRY(MeasureInTurn(
      contenders,
      {.rounds = context.rounds, .warm_up = 10, .rest = std::chrono::milliseconds(10)}));
  TRY(caller.DestroySandbox(id));
  TRY(caller.DestroySandbox(kept));
  Section& section = context.report.AddSection("reset over HTTP");
  for (const Samples& each : samples) section.AddSamples(each);
  section.AddBudget("reset p50 (ms), at most 1.2 × (destroy and create)",
                    samples[1].Percentile(50) / 1000, 1.2 * samples[0].Percentile(50) / 1000);
  return {};
}

// Creates over HTTP beside those of an engine of our own.
Result<void> MeasureCold(Context& context, const HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  std::string id;
  std::optional<SandboxId> made;
  const std::vector<Contender> contenders{
      {.name = "create, in the engine",
       .operation = [&]() -> Result<void> {
         made = TRY(context.island.Create(engine::Scratch::kAuto, 64 * kMiB)).id;
         return {};
       },
       .between = [&] { return context.island.Destroy(*made); }},
      {.name = "create, over HTTP",
       .operation = [&]() -> Result<void> {
         id = TRY(caller.CreateSandbox(std::string(kSmall)));
         return {};
       },
       .between = [&] { return caller.DestroySandbox(id); }}};
  const auto samples = TRY(MeasureInTurn(
      contenders,
      {.rounds = context.rounds, .warm_up = 10, .rest = std::chrono::milliseconds(10)}));
  Section& section = context.report.AddSection("a cold create, in the engine and over HTTP");
  for (const Samples& each : samples) section.AddSamples(each);
  section.AddBudget("over HTTP p50 (ms), at most the engine's + 0.4",
                    samples[1].Percentile(50) / 1000, samples[0].Percentile(50) / 1000 + 0.4);
  return {};
}

}  // namespace

Result<void> MeasureHttpQueue(Context& context) {
  const HttpServer server = TRY(HttpServer::Start(context.cay, context.work.path() + "/queue"));
  TRY(MeasureCold(context, server));
  TRY(MeasureReset(context, server));
  TRY(MeasureCycles(context, server));
  TRY(MeasureBeside(context, server));
  return MeasureBursts(context, server);
}

}  // namespace cay::bench
