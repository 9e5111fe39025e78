// Peers: other ways of running `true` in isolation, each prepared once and then run again and
// again. Who is not installed is left out of the comparison, and the report says so.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "samples.h"

namespace cay::bench {

// A directory under /var/tmp (a disk, not a tmpfs) that is removed with all it holds.
class WorkDirectory {
 public:
  static Result<WorkDirectory> Make();
  WorkDirectory(WorkDirectory&& other) noexcept : path_(std::move(other.path_)) {
    other.path_.clear();
  }
  WorkDirectory& operator=(WorkDirectory&&) = delete;
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  ~WorkDirectory();

  const std::string& path() const { return path_; }

 private:
  explicit WorkDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// bubblewrap: all namespaces but no limits, no seccomp filter, no layer of its own. It shows the
// machine's /usr, as the `host` template does.
Result<Contender> PrepareBubblewrap();

// runc: an OCI bundle of a static busybox, with runc's own default confinement and no network.
Result<Contender> PrepareRunc(const WorkDirectory& work);

// A dockerd of our own, with its data in the work directory, ended with this object.
class Docker {
 public:
  // kBridge: with Docker's bridge at 172.30.77.1, and dockerd in a network namespace of its own.
  enum class Network : uint8_t { kNone, kBridge };
  static Result<Docker> Start(const WorkDirectory& work, Network network = Network::kNone);
  Docker(Docker&& other) noexcept
      : client_(std::move(other.client_)),
        socket_(std::move(other.socket_)),
        daemon_(std::exchange(other.daemon_, -1)) {}
  Docker& operator=(Docker&&) = delete;
  Docker(const Docker&) = delete;
  Docker& operator=(const Docker&) = delete;
  ~Docker();

  // `docker run --rm --network none` of a static true.
  Contender RunTrue() const;
  // Where its API is.
  const std::string& socket() const { return socket_; }
  const std::vector<std::string>& client() const { return client_; }
  pid_t daemon() const { return daemon_; }

 private:
  Docker(std::vector<std::string> client, std::string socket, pid_t daemon)
      : client_(std::move(client)), socket_(std::move(socket)), daemon_(daemon) {}
  std::vector<std::string> client_;  // the client and the address of the daemon
  std::string socket_;
  pid_t daemon_;
};

}  // namespace cay::bench
