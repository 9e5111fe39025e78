// Five hundred idle sandboxes: what they and the server need, and how soon a new server has adopted
// them after a SIGKILL.
#include "cases/cases.h"
#include "machine_memory.h"
#include "subjects/http_server.h"

namespace cay::bench {
namespace {

constexpr int kIdle = 500;
constexpr double kBudgetKib = 400;
constexpr std::string_view kSmall = R"({"memory_limit":"64m","disk_limit":"64m"})";

Row Once(std::string name, std::string unit, double value) {
  return {.name = std::move(name), .unit = std::move(unit), .p50 = value, .p99 = value, .count = 1};
}

Result<std::vector<std::string>> MakeIdle(const HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  std::vector<std::string> made;
  for (int i = 0; i < kIdle; ++i) made.push_back(TRY(caller.CreateSandbox(std::string(kSmall))));
  return made;
}

// What their control groups are charged with, in KiB.
Result<double> Charged(const HttpServer& server, const std::vector<std::string>& made) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  double kib = 0;
  for (const std::string& id : made) {
    const std::string stats = TRY(caller.Call("GET", "/api/sandboxes/" + id + "/stats", "", 200));
    kib += TRY(NumberOf(stats, "memory_bytes")) / kKiB;
  }
  return kib;
}

// How many execute; all are destroyed.
Result<int> UseAndDestroy(const HttpServer& server, const std::vector<std::string>& made) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  int alive = 0;
  for (const std::string& id : made) {
    const std::string target = "/api/sandboxes/" + id + "/execute";
    if (caller.Call("POST", target, R"({"command":["true"]})", 200)) ++alive;
    TRY(caller.DestroySandbox(id));
  }
  return alive;
}

}  // namespace

Result<void> MeasureHttpIdle(Context& context) {
  const std::string state_dir = context.work.path() + "/http-idle";
  HttpServer first = TRY(HttpServer::Start(context.cay, state_dir));
  {
    // What the first sandbox brings into the caches is not the others'.
    HttpCaller caller = TRY(HttpCaller::Open(first.url()));
    TRY(caller.DestroySandbox(TRY(caller.CreateSandbox(std::string(kSmall)))));
  }
  const Bytes before = TRY(first.Memory());
  const double available = TRY(AvailableKib());
  const std::vector<std::string> made = TRY(MakeIdle(first));
  const double of_machine = (available - TRY(AvailableKib())) / kIdle;
  const Bytes with_all = TRY(first.Memory());
  const double charged = TRY(Charged(first, made)) / kIdle;
  const double of_server =
      static_cast<double>(with_all - std::min(before, with_all)) / kIdle / kKiB;

  first.Kill();
  const Stopwatch stopwatch;
  HttpServer second = TRY(HttpServer::Start(context.cay, state_dir));
  const double ready = stopwatch.microseconds();
  const int alive = TRY(UseAndDestroy(second, made));

  Section& section = context.report.AddSection("500 idle sandboxes over HTTP");
  section.AddRow(Once("of the machine, for each", "KiB", of_machine));
  section.AddRow(Once("  of it server and launcher", "KiB", of_server));
  section.AddRow(Once("charged to its control group, for each", "KiB", charged));
  section.AddRow(Once("ready again after SIGKILL, all adopted", "ms", ready / 1000));
  section.AddBudget("of the machine (KiB)", of_machine, kBudgetKib);
  if (of_machine < charged) {
    section.AddNote(
        "less than the control groups are charged with: another process has given memory "
        "back meanwhile, so the machine's figure says nothing");
  }
  section.AddFloor("that execute after the restart", alive, kIdle);
  return {};
}

}  // namespace cay::bench
