#include "subjects/network_ways.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/os/file.h"
#include "base/text.h"
#include "base/units.h"
#include "samples.h"
#include "subjects/process.h"

namespace cay::bench {
namespace {

constexpr int kTries = 3000;
constexpr auto kPause = std::chrono::milliseconds(10);
constexpr const char* kBridge = "172.30.77.1";

using Words = std::vector<std::string>;

Words Joined(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Error Failed(const std::string& what) { return {ErrorCode::kIo, Fault::kMachine, what}; }

Result<std::string> Need(const std::string& program) {
  std::string path = FindProgram(program);
  if (path.empty()) {
    return Failure(Error(ErrorCode::kNotFound, Fault::kMachine, program + " is not installed"));
  }
  return path;
}

template <typename T>
std::shared_ptr<void> Keep(T value) {
  return std::make_shared<T>(std::move(value));
}

Words InNamespacesOf(pid_t pid) {
  return {"/usr/bin/nsenter", "-t",    std::to_string(pid),
          "--user",           "--net", "--preserve-credentials"};
}

Result<void> AwaitOutput(const Words& argv, std::string_view part) {
  for (int i = 0; i < kTries; ++i) {
    const auto output = OutputOf(argv);
    if (output && output->find(part) != std::string::npos) return {};
    std::this_thread::sleep_for(kPause);
  }
  return Failure(Failed(argv[0] + " does not say " + std::string(part)));
}

// A process in a user and a network namespace of its own.
Result<Background> StartNamespaces(const std::string& log) {
  namespace fs = std::filesystem;
  Background holder = TRY(Background::Start(
      {TRY(Need("unshare")), "--user", "--map-root-user", "--net", "sleep", "infinity"}, log));
  const auto own = fs::read_symlink("/proc/self/ns/net");
  for (int i = 0; i < kTries; ++i) {
    std::error_code error;
    const std::string proc = "/proc/" + std::to_string(holder.pid());
    const auto there = fs::read_symlink(proc + "/ns/net", error);
    if (!error && there != own && ReadFile(proc + "/comm").value_or("") == "sleep\n") return holder;
    std::this_thread::sleep_for(kPause);
  }
  return Failure(Failed("no namespaces: " + ReadFile(log).value_or("")));
}

Result<Way> JoinedTo(std::string name, Background holder, Background joiner, std::string address,
                     std::string_view part, const std::string& probe) {
  Way way{.name = std::move(name),
          .inside = InNamespacesOf(holder.pid()),
          .probe = probe,
          .address = std::move(address)};
  TRY(AwaitOutput(Joined(way.inside, {"ip", "-4", "address"}), part));
  way.holds = {Keep(std::move(joiner)), Keep(std::move(holder))};
  return way;
}

}  // namespace

Result<Background> Background::Start(const Words& argv, const std::string& log,
                                     std::string_view line) {
  Background started(TRY(StartLogged(argv, log)));
  for (int i = 0; !line.empty() && ReadFile(log).value_or("").find(line) == std::string::npos;
       ++i) {
    if (i == kTries) return Failure(Failed(argv[0] + ": " + ReadFile(log).value_or("")));
    std::this_thread::sleep_for(kPause);
  }
  return started;
}

Background::~Background() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  for (int i = 0; i < 500; ++i) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
    std::this_thread::sleep_for(kPause);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Result<std::string> OutputOf(const Words& argv) {
  Words absolute = argv;
  if (!absolute[0].starts_with('/')) absolute[0] = TRY(Need(argv[0]));
  Started started = TRY(StartWithOutput(absolute));
  std::string all;
  std::array<char, 65536> piece{};
  for (ssize_t got = 0; (got = ::read(started.output.get(), piece.data(), piece.size())) > 0;)
    all.append(piece.data(), static_cast<size_t>(got));
  TRY(WaitFor(started.pid, argv[0]));
  return all;
}

Result<std::vector<double>> Way::Ask(const Words& arguments) const {
  auto output = OutputOf(Joined(Joined(inside, {probe}), arguments));
  if (!output) return Failure(std::move(output).error().WithContext(name));
  std::istringstream lines(*output);
  std::vector<double> numbers;
  for (double number = 0; lines >> number;) numbers.push_back(number);
  if (numbers.empty()) return Failure(Failed(name + ": the probe says nothing"));
  return numbers;
}

Result<ProbeServers> ServeHere(const std::string& probe, const WorkDirectory& work, Way& holder) {
  ProbeServers ports;
  ports.first_port = std::to_string(TRY(FreePort()));
  ports.bytes_port = std::to_string(TRY(FreePort()));
  for (const auto& [mode, port] :
       {std::pair{"serve-first", ports.first_port}, std::pair{"serve-bytes", ports.bytes_port}}) {
    const std::string log = work.path() + "/" + mode + port;
    holder.holds.push_back(
        Keep(TRY(Background::Start({probe, mode, "127.0.0.1", port}, log, "listening"))));
  }
  return ports;
}

Result<Way> StartSlirp(const WorkDirectory& work, const std::string& probe) {
  const std::string slirp = TRY(Need("slirp4netns"));
  const std::string log = work.path() + "/slirp.log";
  Background holder = TRY(StartNamespaces(log));
  Background joiner = TRY(Background::Start(
      {slirp, "--configure", "--mtu=65520", std::to_string(holder.pid()), "tap0"}, log));
  return JoinedTo("slirp4netns", std::move(holder), std::move(joiner), "10.0.2.2", "10.0.2.100",
                  probe);
}

// It gives the namespace the host's own addresses; the gateway's leads to the host's loopback.
Result<Way> StartPasta(const WorkDirectory& work, const std::string& probe) {
  const std::string pasta = TRY(Need("pasta"));
  const std::string route = TRY(OutputOf({"ip", "-4", "route", "show", "default"}));
  const std::vector<std::string_view> words = Split(route, ' ');
  if (words.size() < 3 || words[1] != "via")
    return Failure(Failed("pasta wants a machine with a default route"));
  const std::string log = work.path() + "/pasta.log";
  Background holder = TRY(StartNamespaces(log));
  Background joiner =
      TRY(Background::Start({pasta, "-f", "--config-net", "-t", "none", "-u", "none", "-T", "none",
                             "-U", "none", "--runas", "0", std::to_string(holder.pid())},
                            log));
  return JoinedTo("pasta", std::move(holder), std::move(joiner), std::string(words[2]),
                  "scope global", probe);
}

Result<Way> StartDockerBridge(const WorkDirectory& work, const std::string& probe,
                              const ProbeServers& ports) {
  auto docker = TRY(Docker::Start(work, Docker::Network::kBridge));
  const Words there{"/usr/bin/nsenter", "-t", std::to_string(docker.daemon()), "--net"};
  Way way{
      .name = "a container, over Docker's bridge", .probe = "/cay-bench-probe", .address = kBridge};
  for (const auto& [mode, port] :
       {std::pair{"serve-first", ports.first_port}, std::pair{"serve-bytes", ports.bytes_port}}) {
    way.holds.push_back(Keep(TRY(Background::Start(Joined(there, {probe, mode, kBridge, port}),
                                                   work.path() + "/bridge-" + mode, "listening"))));
  }
  const std::string started =
      TRY(OutputOf(Joined(docker.client(), {"run", "--detach", "--volume", probe + ":" + way.probe,
                                            "cay-bench", "/bin/sleep", "1000000"})));
  way.inside = Joined(docker.client(), {"exec", std::string(Split(started, '\n')[0])});
  way.holds.push_back(Keep(std::move(docker)));
  // The servers before the daemon.
  return way;
}

namespace {

// Of a sandbox `name`, with the probe in it.
Result<Way> StartSandbox(const std::string& cay, const HttpServer& server, const std::string& probe,
                         const std::string& name, const std::string& network) {
  HttpCaller caller = TRY(HttpCaller::Open(server.url()));
  const unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  TRY(caller.CreateSandbox(R"({"name":")" + name + R"(","cpu_limit":")" +
                           std::to_string(processors) + R"(","network":)" + network + "}"));
  const Words program{"/usr/bin/env", "CAY_URL=" + server.url().ToString(), cay};
  TRY(RunQuietly(Joined(program, {"cp", "-q", probe, name + ":/workspace/cay-bench-probe"})));
  return Way{.name = name,
             .inside = Joined(program, {"exec", "-n", "-q", name, "--"}),
             .probe = "/workspace/cay-bench-probe",
             .address = "127.0.0.1"};
}

Result<void> ServeInside(const Way& way, const ProbeServers& ports) {
  for (const auto& [mode, port] :
       {std::pair{"serve-first", ports.first_port}, std::pair{"serve-bytes", ports.bytes_port}}) {
    Words command = way.inside;
    // `cay exec --detach`
    command.insert(std::ranges::find(command, "exec") + 1, "--detach");
    TRY(RunQuietly(Joined(command, {way.probe, mode, "127.0.0.1", port})));
  }
  return {};
}

Result<std::string> AddressOf(const Way& way, const std::string& name) {
  const std::string found = TRY(OutputOf(Joined(way.inside, {"getent", "ahostsv4", name})));
  return std::string(Split(found, ' ')[0]);
}

}  // namespace

Result<std::vector<Way>> StartSandboxes(const std::string& cay, const HttpServer& server,
                                        const std::string& probe, const ProbeServers& ports) {
  constexpr std::string_view kLimits = R"(,"limits":{"connections_per_second":10000})";
  const std::string host = "host.cay.internal:";
  Way alone = TRY(StartSandbox(cay, server, probe, "alone", R"("none")"));
  Way relayed = TRY(StartSandbox(cay, server, probe, "relayed",
                                 R"({"allow":[")" + host + ports.first_port + R"(",")" + host +
                                     ports.bytes_port + R"("])" + std::string(kLimits) + "}"));
  Way peer = TRY(StartSandbox(cay, server, probe, "peer", R"({"join":["bench"]})"));
  Way joined = TRY(StartSandbox(cay, server, probe, "joined",
                                R"({"join":["bench"])" + std::string(kLimits) + "}"));
  for (const Way* serves : {&alone, &peer}) TRY(ServeInside(*serves, ports));
  relayed.address = TRY(AddressOf(relayed, "host.cay.internal"));
  joined.address = TRY(AddressOf(joined, "peer"));
  alone.name = "loopback inside a sandbox";
  relayed.name = "a sandbox, through the relay to the host";
  joined.name = "a sandbox, through the relay to another";
  std::vector<Way> ways;
  for (Way* way : {&alone, &relayed, &joined}) ways.push_back(std::move(*way));
  return ways;
}

}  // namespace cay::bench
