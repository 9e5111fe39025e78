// Many at once: a hundred creates, a thousand executes over 32 connections.
#include <atomic>
#include <mutex>

#include "at_once.h"
#include "cases/cases.h"
#include "server_metrics.h"
#include "subjects/http_server.h"

namespace cay::bench {
namespace {

constexpr int kCreates = 100;
constexpr int kConnections = 32;
constexpr int kExecutes = 1000;
constexpr std::string_view kSmall = R"({"disk_limit":"64m","pids_limit":100})";

Result<void> MeasureCreates(Context& context, HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  Samples single("one at a time");
  for (int i = 0; i < kCreates; ++i) {
    const Stopwatch stopwatch;
    const std::string id = TRY(caller.CreateSandbox(std::string(kSmall)));
    single.Add(stopwatch.microseconds());
    TRY(caller.DestroySandbox(id));
  }
  const ServerMetrics before = TRY(ServerMetrics::Of(caller));
  Tally tally("each of 100 at once");
  std::mutex mutex;
  std::vector<std::string> made;
  const double wall = AtOnce(server.url(), kCreates, [&](HttpCaller& own) {
    const Stopwatch stopwatch;
    Result<std::string> id = own.CreateSandbox(std::string(kSmall));
    tally.Add(stopwatch.microseconds(), id ? Result<void>() : Failure(id.error()));
    const std::scoped_lock lock(mutex);
    if (id) made.push_back(*std::move(id));
  });
  const ServerMetrics after = TRY(ServerMetrics::Of(caller));
  for (const std::string& id : made) TRY(caller.DestroySandbox(id));

  Section& section = context.report.AddSection("100 creates over HTTP");
  section.AddSamples(single);
  section.AddSamples(tally.samples());
  section.AddRow(Wall(wall));
  for (Row& row : after.Since(before)) section.AddRow(std::move(row));
  section.AddFloor("creates that succeed at once", static_cast<double>(made.size()), kCreates);
  section.AddBudget("wall (ms), at most 100 × one", wall / 1000,
                    kCreates * single.Percentile(50) / 1000);
  if (!tally.failure().empty()) section.AddNote("the first failure: " + tally.failure());
  return {};
}

Result<void> MeasureExecutes(Context& context, HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  const std::string id = TRY(caller.CreateSandbox("{}"));
  const std::string target = "/api/sandboxes/" + id + "/execute";
  Tally tally("each of 1,000 over 32 connections");
  std::atomic<int> next = 0;
  const ServerMetrics before = TRY(ServerMetrics::Of(caller));
  const double wall = AtOnce(server.url(), kConnections, [&](HttpCaller& own) {
    while (next++ < kExecutes) {
      const Stopwatch stopwatch;
      const auto done = own.Call("POST", target, R"({"command":["true"]})", 200);
      tally.Add(stopwatch.microseconds(), done ? Result<void>() : Failure(done.error()));
    }
  });
  const ServerMetrics after = TRY(ServerMetrics::Of(caller));
  TRY(caller.DestroySandbox(id));

  Section& section = context.report.AddSection("1,000 executes over 32 connections");
  section.AddSamples(tally.samples());
  section.AddRow(Wall(wall));
  section.AddRow({.name = "throughput",
                  .unit = "1/s",
                  .p50 = kExecutes / (wall / 1e6),
                  .p99 = kExecutes / (wall / 1e6),
                  .count = 1});
  for (Row& row : after.Since(before)) section.AddRow(std::move(row));
  section.AddFloor("that succeed", static_cast<double>(tally.samples().count()), kExecutes);
  if (!tally.failure().empty()) section.AddNote("the first failure: " + tally.failure());
  return {};
}

}  // namespace

Result<void> MeasureHttpLoad(Context& context) {
  HttpServer server = TRY(HttpServer::Start(context.cay, context.work.path() + "/http-load"));
  TRY(MeasureCreates(context, server));
  return MeasureExecutes(context, server);
}

}  // namespace cay::bench
