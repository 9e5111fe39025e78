// What one client waits for over HTTP: a sandbox, a result, an end.
#include <optional>

#include "cases/cases.h"
#include "server_metrics.h"
#include "subjects/docker_api.h"
#include "subjects/http_server.h"
#include "subjects/process.h"

namespace cay::bench {
namespace {

constexpr std::string_view kExecuteTrue = R"({"command":["true"]})";
// Other limits than the pool's, so that none of its sandboxes fits.
constexpr std::string_view kCold = R"({"pids_limit":250})";

constexpr int kPool = 8;

// Creates; destroys between, keeps how long that took, and lets the pool be filled again.
Contender Create(std::string name, const HttpServer& server, HttpCaller& caller, std::string body,
                 Samples& destroys) {
  auto id = std::make_shared<std::string>();
  return {.name = std::move(name),
          .operation = [&caller, id, body = std::move(body)]() -> Result<void> {
            *id = TRY(caller.CreateSandbox(body));
            return {};
          },
          .between = [&server, &caller, id, &destroys]() -> Result<void> {
            const Stopwatch stopwatch;
            TRY(caller.DestroySandbox(*id));
            destroys.Add(stopwatch.microseconds());
            return server.AwaitPool(caller, kPool);
          }};
}

Result<void> MeasureCreates(Context& context, const HttpServer& server, HttpCaller& caller,
                            const DockerApi* docker) {
  Samples idle_destroys("destroy of one that was in the pool, until it returns");
  Samples fresh_destroys("destroy of one that was just made");
  Samples peers_destroys("Docker Engine API, remove by force");
  std::vector<Contender> contenders{
      Create("create, from the pool", server, caller, "{}", idle_destroys),
      Create("create, cold", server, caller, std::string(kCold), fresh_destroys)};
  if (docker != nullptr) contenders.push_back(docker->Create(peers_destroys));
  const ServerMetrics before = TRY(ServerMetrics::Of(caller));
  const auto created = TRY(MeasureInTurn(contenders, {.rounds = context.rounds, .warm_up = 10}));
  Section& section = context.report.AddSection("create and destroy over HTTP");
  for (const Samples& samples : created) section.AddSamples(samples);
  section.AddSamples(idle_destroys);
  section.AddSamples(fresh_destroys);
  if (docker != nullptr) section.AddSamples(peers_destroys);
  for (Row& row : TRY(ServerMetrics::Of(caller)).Since(before)) section.AddRow(std::move(row));
  section.AddBudget("claim from the pool p50 (ms)", created[0].Percentile(50) / 1000, 0.5);
  section.AddBudget("destroy p50 (ms)", idle_destroys.Percentile(50) / 1000, 1);
  section.AddBudget("destroy of one just made p50 (ms)", fresh_destroys.Percentile(50) / 1000, 1);
  return {};
}

Result<void> MeasureExecutes(Context& context, HttpCaller& caller, const DockerApi* docker) {
  const std::string id = TRY(caller.CreateSandbox("{}"));
  const std::string target = "/api/sandboxes/" + id + "/execute";
  const std::vector<std::string> argv{"/usr/bin/true"};
  std::vector<Contender> contenders{
      {.name = "vfork, exec, wait on the host", .operation = [&] { return RunQuietly(argv); }},
      {.name = "execute true over HTTP keep-alive", .operation = [&]() -> Result<void> {
         TRY(caller.Call("POST", target, std::string(kExecuteTrue), 200));
         return {};
       }}};
  std::optional<DockerContainer> container;
  if (docker != nullptr) {
    container.emplace(TRY(docker->Run()));
    contenders.push_back(container->Execute());
  }
  const ServerMetrics before = TRY(ServerMetrics::Of(caller));
  const auto executed =
      TRY(MeasureInTurn(contenders, {.rounds = context.rounds * 5, .warm_up = 20}));
  Section& section = context.report.AddSection("execute true over HTTP");
  for (const Samples& samples : executed) section.AddSamples(samples);
  for (Row& row : TRY(ServerMetrics::Of(caller)).Since(before)) section.AddRow(std::move(row));
  section.AddBudget("p50 (ms), at most 1.2 × host + 0.3", executed[1].Percentile(50) / 1000,
                    1.2 * executed[0].Percentile(50) / 1000 + 0.3);
  return caller.DestroySandbox(id);
}

}  // namespace

Result<void> MeasureHttpLatency(Context& context) {
  HttpServer server = TRY(HttpServer::Start(context.cay, context.work.path() + "/http",
                                            {"--pool", "host=" + std::to_string(kPool)}));
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  TRY(server.AwaitPool(caller, kPool));
  std::optional<Result<DockerApi>> docker;
  if (context.docker) docker.emplace(DockerApi::Start(context.work));
  const DockerApi* peer = docker && *docker ? &**docker : nullptr;
  TRY(MeasureCreates(context, server, caller, peer));
  TRY(MeasureExecutes(context, caller, peer));
  if (docker && !*docker) {
    context.report.AddSection("Docker Engine API")
        .AddNote("left out: " + docker->error().ToString());
  }
  return {};
}

}  // namespace cay::bench
