#include "subjects/peers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <thread>

#include "base/os/file.h"
#include "base/os/log.h"
#include "base/units.h"
#include "subjects/process.h"

namespace cay::bench {
namespace {

constexpr auto kDockerStartPatience = std::chrono::seconds(30);

Error NotInstalled(const std::string& program) {
  return {ErrorCode::kNotFound, Fault::kMachine, program + " is not installed"};
}

Result<std::string> Need(const std::string& program) {
  std::string path = FindProgram(program);
  if (path.empty()) return Failure(NotInstalled(program));
  return path;
}

std::vector<std::string> operator+(std::vector<std::string> words,
                                   const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// A root filesystem of one program: a static busybox, as /bin/true and /bin/sleep.
Result<void> MakeRootFilesystem(const std::string& path) {
  const std::string busybox = TRY(Need("busybox"));
  TRY(MakeDirectories(path + "/bin", 0755));
  const std::string program = TRY(ReadFile(busybox, 16 * kMiB));
  TRY(WriteFileAtomic(path + "/bin/sleep", program, 0755));
  return WriteFileAtomic(path + "/bin/true", program, 0755);
}

// What `runc spec` writes, but running /bin/true without a terminal.
Result<void> ChangeSpec(const std::string& path) {
  boost::system::error_code error;
  boost::json::value spec = boost::json::parse(TRY(ReadFile(path)), error);
  if (error) return Failure(Error(ErrorCode::kProtocol, Fault::kMachine, "runc spec: not JSON"));
  boost::json::object& process = spec.as_object()["process"].as_object();
  process["terminal"] = false;
  process["args"] = boost::json::array{"/bin/true"};
  return WriteFileAtomic(path, boost::json::serialize(spec), 0644);
}

}  // namespace

Result<WorkDirectory> WorkDirectory::Make() {
  std::string path = "/var/tmp/cay-bench-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return Failure(Error::FromErrno("mkdtemp"));
  if (chmod(path.c_str(), 0711) != 0) return Failure(Error::FromErrno("chmod"));
  return WorkDirectory(std::move(path));
}

WorkDirectory::~WorkDirectory() {
  if (path_.empty()) return;
  if (const Result<void> removed = RemoveTreeAt(AT_FDCWD, path_); !removed) {
    LogWarning(removed.error().ToString());
  }
}

Result<Contender> PrepareBubblewrap() {
  const std::vector<std::string> argv{TRY(Need("bwrap")),
                                      "--unshare-all",
                                      "--die-with-parent",
                                      "--ro-bind",
                                      "/usr",
                                      "/usr",
                                      "--symlink",
                                      "usr/bin",
                                      "/bin",
                                      "--symlink",
                                      "usr/lib",
                                      "/lib",
                                      "--symlink",
                                      "usr/lib64",
                                      "/lib64",
                                      "--proc",
                                      "/proc",
                                      "--dev",
                                      "/dev",
                                      "--tmpfs",
                                      "/tmp",
                                      "/usr/bin/true"};
  return Contender{.name = "bubblewrap", .operation = [argv] { return RunQuietly(argv); }};
}

Result<Contender> PrepareRunc(const WorkDirectory& work) {
  const std::string runc = TRY(Need("runc"));
  const std::string bundle = work.path() + "/runc-bundle";
  TRY(MakeRootFilesystem(bundle + "/rootfs"));
  TRY(RunQuietly({runc, "spec", "--bundle", bundle}));
  TRY(ChangeSpec(bundle + "/config.json"));
  const std::vector<std::string> argv{runc,
                                      "--root",
                                      work.path() + "/runc-state",
                                      "run",
                                      "--bundle",
                                      bundle,
                                      "cay-bench-" + std::to_string(getpid())};
  return Contender{.name = "runc", .operation = [argv] { return RunQuietly(argv); }};
}

Result<Docker> Docker::Start(const WorkDirectory& work, Network network) {
  const bool bridge = network == Network::kBridge;
  const std::string daemon_program = TRY(Need("dockerd"));
  const std::string base = work.path() + (bridge ? "/docker-bridge" : "/docker");
  TRY(MakeRootFilesystem(base + "/image"));
  const std::string socket = base + "/socket";
  const std::string address = "unix://" + socket;
  const std::vector<std::string> daemon_words{daemon_program, "--data-root",  base + "/data",
                                              "--exec-root",  base + "/exec", "--pidfile",
                                              base + "/pid",  "--host",       address};
  const std::vector<std::string> argv =
      bridge ? std::vector<std::string>{TRY(Need("unshare")),
                                        "--net",
                                        "--mount",
                                        "/bin/sh",
                                        "-c",
                                        "ip link set lo up && exec \"$@\"",
                                        "sh"} +
                   daemon_words + std::vector<std::string>{"--bip", "172.30.77.1/24"}
             : daemon_words + std::vector<std::string>{"--bridge", "none", "--iptables=false",
                                                       "--ip-masq=false"};
  const pid_t daemon = TRY(StartLogged(argv, base + "/log"));
  Docker docker({TRY(Need("docker")), "--host", address}, socket, daemon);
  const Stopwatch stopwatch;
  while (!RunQuietly(docker.client_ + std::vector<std::string>{"version"})) {
    if (stopwatch.microseconds() > std::chrono::microseconds(kDockerStartPatience).count()) {
      return Failure(Error(ErrorCode::kTimeout, Fault::kMachine, "dockerd did not start"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  TRY(RunQuietly({TRY(Need("tar")), "-C", base + "/image", "-cf", base + "/image.tar", "."}));
  TRY(RunQuietly(docker.client_ +
                 std::vector<std::string>{"import", base + "/image.tar", "cay-bench"}));
  return docker;
}

Docker::~Docker() {
  if (daemon_ < 0) return;
  kill(daemon_, SIGTERM);
  waitpid(daemon_, nullptr, 0);
}

Contender Docker::RunTrue() const {
  const std::vector<std::string> argv =
      client_ +
      std::vector<std::string>{"run", "--rm", "--network", "none", "cay-bench", "/bin/true"};
  return Contender{.name = "docker run", .operation = [argv] { return RunQuietly(argv); }};
}

}  // namespace cay::bench
