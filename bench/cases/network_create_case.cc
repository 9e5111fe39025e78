// What a network adds to a create over HTTP, and what those pay who have none: beside an earlier
// program, if one is given.
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "cases/cases.h"
#include "server_metrics.h"
#include "subjects/http_server.h"

namespace cay::bench {
namespace {

constexpr std::string_view kNone = R"({"pids_limit":250})";
constexpr std::string_view kAllow =
    R"({"pids_limit":250,"network":{"allow":["example.com:443","*.example.org"]}})";

// A server of which every sandbox has the same network.
struct Subject {
  HttpServer server;
  HttpCaller caller;
  std::string name;
  std::string body;
};

Result<Subject> Start(const Context& context, const std::string& program, std::string name,
                      std::string_view body) {
  HttpServer server = TRY(HttpServer::Start(program, context.work.path() + "/create " + name));
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  return Subject{.server = std::move(server),
                 .caller = std::move(caller),
                 .name = std::move(name),
                 .body = std::string(body)};
}

struct Tasks {
  size_t processes = 0;
  size_t threads = 0;
};

// Of a process and what descends from it.
Tasks TasksOf(pid_t root) {
  namespace fs = std::filesystem;
  std::multimap<pid_t, pid_t> children;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    const size_t behind = stat.rfind(')');
    if (behind != std::string::npos)
      children.emplace(std::atoi(stat.c_str() + behind + 4), std::atoi(name.c_str()));
  }
  Tasks tasks;
  std::vector<pid_t> todo{root};
  while (!todo.empty()) {
    const pid_t pid = todo.back();
    todo.pop_back();
    ++tasks.processes;
    for ([[maybe_unused]] const auto& thread :
         fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error))
      ++tasks.threads;
    const auto [begin, end] = children.equal_range(pid);
    for (auto it = begin; it != end; ++it) todo.push_back(it->second);
  }
  return tasks;
}

Contender Create(Subject& subject) {
  auto id = std::make_shared<std::string>();
  return {.name = "create, " + subject.name,
          .operation = [&subject, id]() -> Result<void> {
            *id = TRY(subject.caller.CreateSandbox(subject.body));
            return {};
          },
          .between = [&subject, id] { return subject.caller.DestroySandbox(*id); }};
}

Result<void> CountTasks(Subject& subject, Section& section) {
  const std::string id = TRY(subject.caller.CreateSandbox(subject.body));
  const Tasks tasks = TasksOf(subject.server.pid());
  TRY(subject.caller.DestroySandbox(id));
  for (const auto& [unit, value] :
       {std::pair{"processes", tasks.processes}, std::pair{"threads", tasks.threads}}) {
    section.AddRow({.name = subject.name,
                    .unit = unit,
                    .p50 = static_cast<double>(value),
                    .p99 = static_cast<double>(value),
                    .count = 1});
  }
  return {};
}

}  // namespace

Result<void> MeasureNetworkCreate(Context& context) {
  std::vector<Subject> subjects;
  subjects.push_back(TRY(Start(context, context.cay, "network none", kNone)));
  subjects.push_back(TRY(Start(context, context.cay, "network of two rules", kAllow)));
  if (!context.before.empty())
    subjects.push_back(TRY(Start(context, context.before, "the earlier program", kNone)));
  std::vector<Contender> contenders;
  std::vector<ServerMetrics> before;
  for (Subject& subject : subjects) {
    contenders.push_back(Create(subject));
    before.push_back(TRY(ServerMetrics::Of(subject.caller)));
  }
  const auto samples = TRY(MeasureInTurn(
      contenders,
      {.rounds = context.rounds, .warm_up = 10, .rest = std::chrono::milliseconds(10)}));
  Section& section = context.report.AddSection("a cold create over HTTP, by its network");
  for (size_t i = 0; i < subjects.size(); ++i) {
    section.AddSamples(samples[i]);
    for (Row& row : TRY(ServerMetrics::Of(subjects[i].caller)).Since(before[i]))
      section.AddRow(std::move(row));
  }
  section.AddBudget("with a network p50 (ms), at most none's + 1", samples[1].Percentile(50) / 1000,
                    samples[0].Percentile(50) / 1000 + 1);
  if (samples.size() > 2)
    section.AddBudget("without one p50 (ms), at most 1.1 × the earlier program's",
                      samples[0].Percentile(50) / 1000, 1.1 * samples[2].Percentile(50) / 1000);
  Section& tasks = context.report.AddSection("a server with one sandbox, and all below it");
  for (Subject& subject : subjects) TRY(CountTasks(subject, tasks));
  return {};
}

}  // namespace cay::bench
