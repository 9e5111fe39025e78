// Ways from a program to a server: through Cay, and through what else gives programs that are
// confined a network. Each is a place in which commands run, and an address that leads to the host.
//
//   Way way = TRY(StartSlirp(work));
//   for (double us : TRY(way.Ask({"first", way.address, port, "50"}))) …
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "subjects/http_server.h"
#include "subjects/peers.h"

namespace cay::bench {

// A process that is killed when this ends.
class Background {
 public:
  // Returns once its output has that line; its output is in `log`.
  static Result<Background> Start(const std::vector<std::string>& argv, const std::string& log,
                                  std::string_view line = {});
  Background(Background&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Background& operator=(Background&&) = delete;
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;
  ~Background();
  pid_t pid() const { return pid_; }

 private:
  explicit Background(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

// What a command writes. kIo when it does not exit with 0.
Result<std::string> OutputOf(const std::vector<std::string>& argv);

struct Way {
  std::string name;
  std::vector<std::string> inside = {};           // before a command that is to run there
  std::string probe;                              // the program's path there
  std::string address;                            // of the server, as it is named there
  std::vector<std::shared_ptr<void>> holds = {};  // ended one after the other, the first first

  // The probe's numbers.
  Result<std::vector<double>> Ask(const std::vector<std::string>& arguments) const;
};

// Ports of the probe's servers, the same ones wherever they are.
struct ProbeServers {
  std::string first_port;
  std::string bytes_port;
};
// On this machine's loopback, for as long as the holder.
Result<ProbeServers> ServeHere(const std::string& probe, const WorkDirectory& work, Way& holder);

// A user and a network namespace that slirp4netns, or pasta, joins to the host.
Result<Way> StartSlirp(const WorkDirectory& work, const std::string& probe);
Result<Way> StartPasta(const WorkDirectory& work, const std::string& probe);

// A container of a dockerd of its own, which has a network namespace of its own; the servers are in
// that, behind Docker's bridge. Nothing of this machine's network is changed.
Result<Way> StartDockerBridge(const WorkDirectory& work, const std::string& probe,
                              const ProbeServers& ports);

// Sandboxes of a server: one with servers of its own, one through the relay to the host's, one to
// another sandbox's.
Result<std::vector<Way>> StartSandboxes(const std::string& cay, const HttpServer& server,
                                        const std::string& probe, const ProbeServers& ports);

}  // namespace cay::bench
