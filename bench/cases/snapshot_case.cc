// A snapshot of a sandbox that runs and has written 100 MB, beside a plain copy of the same on this
// machine's disk; and a create from it, beside one of `host`.
#include <algorithm>

#include "cases/cases.h"
#include "subjects/http_server.h"
#include "subjects/process.h"

namespace cay::bench {
namespace {

constexpr int kMostSnapshots = 30;

constexpr std::string_view kWritten =
    R"({"command":"head -c 100000000 /dev/urandom > /workspace/written"})";

struct Subject {
  HttpServer server;
  HttpCaller caller;
  std::string id;
};

Result<Subject> Start(const Context& context) {
  HttpServer server = TRY(HttpServer::Start(context.cay, context.work.path() + "/snapshots"));
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  std::string id = TRY(caller.CreateSandbox("{}"));
  TRY(caller.Call("POST", "/api/sandboxes/" + id + "/execute", std::string(kWritten), 200));
  return Subject{.server = std::move(server), .caller = std::move(caller), .id = std::move(id)};
}

Result<void> TakeOne(Subject& subject) {
  TRY(subject.caller.Call("POST", "/api/sandboxes/" + subject.id + "/snapshots",
                          R"({"name":"taken"})", 201));
  return {};
}

Result<void> RemoveOne(Subject& subject) {
  TRY(subject.caller.Call("DELETE", "/api/snapshots/taken", "", 204));
  return {};
}

Result<void> MeasureTaking(Context& context, Subject& subject) {
  const std::string written = context.work.path() + "/written";
  const std::string copy = written + ".copy";
  TRY(RunQuietly({"/bin/sh", "-c", "head -c 100000000 /dev/urandom > " + written}));
  const std::string both = "cp " + written + " " + copy + " && sync -f " + copy;
  std::vector<Contender> contenders;
  contenders.push_back({.name = "a snapshot of 100 MB",
                        .operation = [&] { return TakeOne(subject); },
                        .between = [&] { return RemoveOne(subject); }});
  contenders.push_back({.name = "cp and sync -f of 100 MB",
                        .operation = [&] { return RunQuietly({"/bin/sh", "-c", both}); }});
  const auto samples =
      TRY(MeasureInTurn(contenders, {.rounds = std::min(context.rounds, kMostSnapshots),
                                     .warm_up = 2,
                                     .rest = std::chrono::milliseconds(10)}));
  Section& section = context.report.AddSection("a snapshot of a sandbox that runs");
  for (const Samples& one : samples) section.AddSamples(one);
  section.AddBudget("p50 (ms)", samples[0].Percentile(50) / 1000, 300);
  return {};
}

Contender Create(HttpCaller& caller, const std::string& name) {
  auto id = std::make_shared<std::string>();
  return {.name = "create from " + name,
          .operation = [&caller, name, id]() -> Result<void> {
            *id = TRY(caller.CreateSandbox(R"({"pids_limit":250,"template":")" + name + "\"}"));
            return {};
          },
          .between = [&caller, id] { return caller.DestroySandbox(*id); }};
}

}  // namespace

Result<void> MeasureSnapshot(Context& context) {
  Subject subject = TRY(Start(context));
  TRY(MeasureTaking(context, subject));
  TRY(TakeOne(subject));
  std::vector<Contender> contenders;
  contenders.push_back(Create(subject.caller, "host"));
  contenders.push_back(Create(subject.caller, "taken"));
  const auto samples = TRY(MeasureInTurn(
      contenders,
      {.rounds = context.rounds, .warm_up = 10, .rest = std::chrono::milliseconds(10)}));
  Section& section = context.report.AddSection("a cold create over HTTP, from a snapshot");
  for (const Samples& one : samples) section.AddSamples(one);
  section.AddBudget("p50 (ms), at most host's + 5", samples[1].Percentile(50) / 1000,
                    samples[0].Percentile(50) / 1000 + 5);
  return {};
}

}  // namespace cay::bench
