// Bytes: a gibibyte of output to a client that reads, a file up and down beside nginx.
#include <algorithm>
#include <optional>
#include <thread>

#include "cases/cases.h"
#include "subjects/host_stream.h"
#include "subjects/http_server.h"
#include "subjects/nginx.h"

namespace cay::bench {
namespace {

constexpr Bytes kOutputBytes = 1 * kGiB;
constexpr Bytes kFileBytes = 100 * kMiB;

Row Throughput(const Samples& samples, Bytes bytes) {
  const double mib = static_cast<double>(bytes) / static_cast<double>(kMiB);
  return {.name = samples.name(),
          .unit = "MiB/s",
          .p50 = mib / (samples.Percentile(50) / 1e6),
          .p99 = mib / (samples.Percentile(99) / 1e6),
          .count = samples.count()};
}

// A text with lines: what a build or a test prints.
std::string Command() {
  return "yes 'a line of output, as programs print it, of some sixty characters' | head -c " +
         std::to_string(kOutputBytes);
}

// In the foreground, so that the command waits for its reader.
Result<void> ThroughHttp(HttpCaller& caller, const std::string& sandbox) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = "/api/sandboxes/" + sandbox + "/execute";
  request.headers.Add("Content-Type", "application/json");
  request.headers.Add("Accept", "text/event-stream");
  request.body = R"({"command":")" + Command() + R"("})";
  const HttpCaller::Drained drained = TRY(caller.Drain(std::move(request)));
  const bool ended = drained.tail.find("event: exited") != std::string::npos;
  if (ended && drained.bytes >= kOutputBytes) return {};
  return Failure(Error(ErrorCode::kIo, Fault::kMachine,
                       "output lost: " + std::to_string(drained.bytes) +
                           " bytes came, the last of them: " + drained.tail));
}

Result<void> MeasureOutput(Context& context, HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  // What is compared is the way of the bytes: the host's processes have all processors, too.
  const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  const std::string id =
      TRY(caller.CreateSandbox(R"({"cpu_limit":")" + std::to_string(processors) + R"("})"));
  const std::vector<Contender> contenders{
      {.name = "a pipe and a socket on the host",
       .operation =
           [] { return ThroughPipeAndSocket({"/bin/sh", "-c", Command()}, kOutputBytes); }},
      {.name = "stdout of a sandbox, as server-sent events",
       .operation = [&] { return ThroughHttp(caller, id); }}};
  const auto all = TRY(MeasureInTurn(contenders, {.rounds = 5, .warm_up = 1}));
  TRY(caller.DestroySandbox(id));
  Section& section = context.report.AddSection("1 GiB of output over HTTP");
  const Row host = Throughput(all[0], kOutputBytes);
  const Row ours = Throughput(all[1], kOutputBytes);
  section.AddRow(host);
  section.AddRow(ours);
  section.AddFloor("of the host's throughput", ours.p50 / host.p50, 0.5);
  return {};
}

Result<void> MeasureFiles(Context& context, HttpServer& server) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  const std::string id = TRY(caller.CreateSandbox("{}"));
  const std::string target = "/api/sandboxes/" + id + "/files?path=/workspace/file";
  std::vector<Contender> contenders;
  auto nginx = Nginx::Start(context.work.path() + "/nginx");
  std::optional<HttpCaller> peer;
  if (nginx) {
    peer = TRY(HttpCaller::Open(nginx->url()));
    contenders.push_back(
        {.name = "nginx, up", .operation = [&] { return peer->Upload("/file", kFileBytes); }});
  }
  contenders.push_back(
      {.name = "cay, up", .operation = [&] { return caller.Upload(target, kFileBytes); }});
  const auto down = [](HttpCaller& from, const std::string& what) -> Result<void> {
    http::ClientRequest request;
    request.target = what;
    const Bytes got = TRY(from.Drain(std::move(request))).bytes;
    if (got == kFileBytes) return {};
    return Failure(Error(ErrorCode::kIo, Fault::kMachine, "a download of " + std::to_string(got)));
  };
  if (nginx) {
    contenders.push_back(
        {.name = "nginx, down", .operation = [&] { return down(*peer, "/file"); }});
  }
  contenders.push_back({.name = "cay, down", .operation = [&] { return down(caller, target); }});
  const auto all = TRY(MeasureInTurn(contenders, {.rounds = 7, .warm_up = 1}));
  TRY(caller.DestroySandbox(id));
  Section& section = context.report.AddSection("a file of 100 MiB, up and down");
  for (const Samples& samples : all) section.AddRow(Throughput(samples, kFileBytes));
  if (!nginx) section.AddNote("without nginx: " + nginx.error().ToString());
  return {};
}

}  // namespace

Result<void> MeasureHttpBytes(Context& context) {
  HttpServer server = TRY(HttpServer::Start(context.cay, context.work.path() + "/http-bytes"));
  TRY(MeasureOutput(context, server));
  return MeasureFiles(context, server);
}

}  // namespace cay::bench
