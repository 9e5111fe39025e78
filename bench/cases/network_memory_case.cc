// What connections that nobody uses hold: in the relay, and in the kernel, beside as many that go
// directly.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "base/os/file.h"
#include "cases/cases.h"
#include "subjects/network_ways.h"

namespace cay::bench {
namespace {

constexpr int kConnectionsOfOne = 250;  // a sandbox may have 256
constexpr int kMostSandboxes = 32;
// The relay has two for a connection, and some for each sandbox.
constexpr int kDescriptorsOfOther = 2000;
constexpr size_t kShownCaches = 6;

struct Memory {
  double relay_kib = 0;
  // Objects of the kernel that are in use: what has been freed stays in its caches for a while.
  double slab_kib = 0;
  std::map<std::string, double> caches;
};

double NumberAfter(const std::string& text, std::string_view key) {
  const size_t at = text.find(key);
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + key.size(), nullptr);
}

// In KiB, of the one that the server started; 0 without one.
double ResidentOfRelay(pid_t server) {
  double kib = 0;
  std::error_code error;
  const std::string tasks = "/proc/" + std::to_string(server) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    std::istringstream children(ReadFile(task.path() / "children").value_or(""));
    for (std::string pid; children >> pid;) {
      if (ReadFile("/proc/" + pid + "/comm").value_or("") == "cay-net\n")
        kib += NumberAfter(ReadFile("/proc/" + pid + "/status").value_or(""), "VmRSS:");
    }
  }
  return kib;
}

Result<Memory> Look(pid_t server) {
  Memory memory;
  memory.relay_kib = server > 0 ? ResidentOfRelay(server) : 0;
  std::istringstream lines(ReadFile("/proc/slabinfo", 1 * kMiB).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    double active = 0;
    double all = 0;
    double bytes = 0;
    if (!(words >> name >> active >> all >> bytes)) continue;
    memory.caches[name] = active * bytes / kKiB;
    memory.slab_kib += memory.caches[name];
  }
  return memory;
}

double Held(const Memory& before, const Memory& after) {
  return after.relay_kib - before.relay_kib + after.slab_kib - before.slab_kib;
}

void AddDifference(Section& section, const std::string& what, const Memory& before,
                   const Memory& after, int connections) {
  const auto add = [&](const std::string& name, double kib) {
    section.AddRow({.name = name,
                    .unit = "KiB",
                    .p50 = kib / connections,
                    .p99 = kib / connections,
                    .count = static_cast<size_t>(connections)});
  };
  add(what, Held(before, after));
  if (after.relay_kib > 0) add("  the relay, resident", after.relay_kib - before.relay_kib);
  add("  the kernel's slabs", after.slab_kib - before.slab_kib);
  std::vector<std::pair<double, std::string>> caches;
  for (const auto& [name, kib] : after.caches) {
    const auto then = before.caches.find(name);
    caches.emplace_back(kib - (then == before.caches.end() ? 0 : then->second), name);
  }
  std::ranges::sort(caches, std::greater());
  for (size_t i = 0; i < std::min(kShownCaches, caches.size()); ++i)
    add("    " + caches[i].second, caches[i].first);
}

Result<int> Sandboxes() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return Failure(Error::FromErrno("getrlimit"));
  const double most = static_cast<double>(limit.rlim_max) - kDescriptorsOfOther;
  const int fit = static_cast<int>(std::min(most, 1e6)) / 2 / kConnectionsOfOne;
  return std::clamp(fit, 1, kMostSandboxes);
}

// Until the kernel has done what it does later, and nothing changes any more.
void Settle() { std::this_thread::sleep_for(std::chrono::seconds(3)); }

Result<void> AwaitOpen(HttpCaller& caller, int connections) {
  constexpr std::string_view kMetric = "\ncay_network_connections_open ";
  double open = 0;
  for (int i = 0; i < 1200; ++i) {
    const std::string metrics = TRY(caller.Call("GET", "/metrics", "", 200));
    open = NumberAfter(metrics, kMetric);
    if (std::lround(open) >= connections) return {};
    std::this_thread::sleep_for(Millis(50));
  }
  return Failure(Error(ErrorCode::kTimeout, Fault::kMachine,
                       "only " + std::to_string(std::lround(open)) + " connections are open"));
}

Result<void> MeasureRelayed(Context& context, const std::string& port, int sandboxes) {
  HttpServer server =
      TRY(HttpServer::Start(context.cay, context.work.path() + "/network-memory",
                            {"--set", "network.private_allowed=host.cay.internal"}));
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  const std::vector<std::string> cay{"/usr/bin/env", "CAY_URL=" + server.url().ToString(),
                                     context.cay};
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> argv = cay;
    argv.insert(argv.end(), more.begin(), more.end());
    return OutputOf(argv);
  };
  const std::string count = std::to_string(kConnectionsOfOne);
  for (int i = 0; i < sandboxes; ++i) {
    const std::string name = "idle-" + std::to_string(i);
    TRY(caller.CreateSandbox(
        R"({"name":")" + name +
        R"(","memory_limit":"64m","disk_limit":"64m","network":{"allow":["host.cay.internal:)" +
        port + R"("],"limits":{"connections_per_second":10000}}})"));
    TRY(run({"cp", "-q", context.probe, name + ":/workspace/probe"}));
    TRY(run(
        {"exec", "-d", name, "--", "sh", "-c",
         "exec ./probe hold $(getent ahostsv4 host.cay.internal | head -n 1 | cut -d ' ' -f 1) " +
             port + " " + count}));
  }
  Settle();
  const Memory before = TRY(Look(server.pid()));
  for (int i = 0; i < sandboxes; ++i)
    TRY(run({"exec", "-q", "-n", "idle-" + std::to_string(i), "--", "touch", "go"}));
  const int connections = sandboxes * kConnectionsOfOne;
  TRY(AwaitOpen(caller, connections));
  Settle();
  const Memory after = TRY(Look(server.pid()));
  Section& section =
      context.report.AddSection(std::to_string(sandboxes) + " sandboxes with " + count +
                                " idle connections each, for one connection");
  AddDifference(section, "through the relay", before, after, connections);
  section.AddRow({.name = "the relay with all of them, resident",
                  .unit = "MiB",
                  .p50 = after.relay_kib / kKiB,
                  .p99 = after.relay_kib / kKiB,
                  .count = 1});
  section.AddBudget("through the relay (KiB)", Held(before, after) / connections, 20);
  return {};
}

Result<void> MeasureDirect(Context& context, const std::string& port, int connections) {
  const std::string directory = context.work.path() + "/direct";
  TRY(MakeDirectories(directory, 0755));
  const std::string log = directory + "/log";
  const Background holder =
      TRY(Background::Start({"/bin/sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", directory,
                             context.probe, "hold", "127.0.0.1", port, std::to_string(connections)},
                            log, "ready"));
  Settle();
  const Memory before = TRY(Look(0));
  TRY(WriteFileAtomic(directory + "/go", "", 0644));
  for (int i = 0; ReadFile(log).value_or("").find("held") == std::string::npos; ++i) {
    if (i == 2400) return Failure(Error(ErrorCode::kTimeout, Fault::kMachine, "none is held"));
    std::this_thread::sleep_for(Millis(50));
  }
  Settle();
  Section& section = context.report.AddSection("as many directly, over the host's loopback");
  AddDifference(section, "directly", before, TRY(Look(0)), connections);
  return {};
}

}  // namespace

Result<void> MeasureNetworkMemory(Context& context) {
  const int sandboxes = TRY(Sandboxes());
  const std::string port = std::to_string(TRY(FreePort()));
  const Background listener =
      TRY(Background::Start({context.probe, "serve-hold", "127.0.0.1", port},
                            context.work.path() + "/serve-hold", "listening"));
  TRY(MeasureRelayed(context, port, sandboxes));
  return MeasureDirect(context, port, sandboxes * kConnectionsOfOne);
}

}  // namespace cay::bench
