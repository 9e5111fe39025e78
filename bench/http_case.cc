// What one client waits for: a sandbox, a result.
#include "cases.h"
#include "http_cases.h"
#include "process.h"

namespace cay::bench {
namespace {

constexpr std::string_view kExecuteTrue = R"({"command":["true"]})";

// Creates, and destroys untimed.
Contender Create(std::string name, HttpCaller& caller, std::string body) {
  auto id = std::make_shared<std::string>();
  return {.name = std::move(name),
          .operation = [&caller, id, body = std::move(body)]() -> Result<void> {
            *id = TRY(caller.CreateSandbox(body));
            return {};
          },
          .between = [&caller, id] { return caller.DestroySandbox(*id); }};
}

}  // namespace

Result<void> MeasureHttpLatency(Context& context, HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  // Its limits are the pool's, or not.
  std::vector<Contender> creates{Create("create, from the pool", caller, "{}"),
                                 Create("create, cold", caller, R"({"pids_limit":250})")};
  const auto created = TRY(MeasureInTurn(creates, {.rounds = context.rounds, .warm_up = 10}));
  Section& creating = context.report.AddSection("create over HTTP");
  for (const Samples& samples : created) creating.AddSamples(samples);
  creating.AddBudget("claim from the pool p50 (ms)", created[0].Percentile(50) / 1000, 0.5);

  const std::string id = TRY(caller.CreateSandbox("{}"));
  const std::string target = "/api/sandboxes/" + id + "/execute";
  const std::vector<std::string> argv{"/usr/bin/true"};
  const std::vector<Contender> executes{
      {.name = "vfork, exec, wait on the host", .operation = [&] { return RunQuietly(argv); }},
      {.name = "execute true over HTTP keep-alive", .operation = [&]() -> Result<void> {
         TRY(caller.Call("POST", target, std::string(kExecuteTrue), 200));
         return {};
       }}};
  const auto executed = TRY(MeasureInTurn(executes, {.rounds = context.rounds * 5, .warm_up = 20}));
  TRY(caller.DestroySandbox(id));
  Section& executing = context.report.AddSection("execute true over HTTP");
  for (const Samples& samples : executed) executing.AddSamples(samples);
  executing.AddBudget("p50 (ms), at most 1.2 × host + 0.3", executed[1].Percentile(50) / 1000,
                      1.2 * executed[0].Percentile(50) / 1000 + 0.3);
  return {};
}

Result<void> MeasureHttp(Context& context) {
  HttpServer server =
      TRY(HttpServer::Start(context.cay, context.work.path() + "/http", {"--pool", "host=8:8"}));
  TRY(MeasureHttpLatency(context, server));
  TRY(MeasureHttpLoad(context, server));
  TRY(MeasureHttpBytes(context, server));
  return MeasureHttpIdle(context);
}

}  // namespace cay::bench
