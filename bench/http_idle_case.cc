// Five hundred idle sandboxes: what the server needs for them, and how soon a new one has adopted
// them after a SIGKILL.
#include "http_cases.h"

namespace cay::bench {
namespace {

constexpr int kIdle = 500;

Row Once(std::string name, std::string unit, double value) {
  return {.name = std::move(name), .unit = std::move(unit), .p50 = value, .p99 = value, .count = 1};
}

}  // namespace

Result<void> MeasureHttpIdle(Context& context) {
  const std::string state_dir = context.work.path() + "/http-idle";
  HttpServer first = TRY(HttpServer::Start(context.cay, state_dir));
  const Bytes before = TRY(first.Memory());
  std::vector<std::string> made;
  {
    HttpCaller caller = TRY(HttpCaller::Open(first.url()));
    for (int i = 0; i < kIdle; ++i) {
      made.push_back(TRY(caller.CreateSandbox(R"({"memory_limit":"64m","disk_limit":"64m"})")));
    }
  }
  const Bytes with_all = TRY(first.Memory());
  first.Kill();
  const Stopwatch stopwatch;
  HttpServer second = TRY(HttpServer::Start(context.cay, state_dir));
  const double ready = stopwatch.microseconds();

  HttpCaller caller = TRY(HttpCaller::Open(second.url()));
  int alive = 0;
  for (const std::string& id : made) {
    alive +=
        caller.Call("POST", "/api/sandboxes/" + id + "/execute", R"({"command":["true"]})", 200)
            ? 1
            : 0;
    TRY(caller.DestroySandbox(id));
  }
  const double each = static_cast<double>(with_all - std::min(before, with_all)) / kIdle / kKiB;
  Section& section = context.report.AddSection("500 idle sandboxes over HTTP");
  section.AddRow(Once("server and launcher, for each", "KiB", each));
  section.AddRow(Once("ready again after SIGKILL, all adopted", "ms", ready / 1000));
  section.AddFloor("that execute after the restart", alive, kIdle);
  return {};
}

}  // namespace cay::bench
