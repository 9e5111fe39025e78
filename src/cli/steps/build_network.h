// BuildNetwork: the networks of a build's steps on this machine, over one relay, which is forked
// before the build has threads.
#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "build/run/step.h"
#include "cli/network/run_network.h"

namespace cay::cli {

class BuildNetwork final : public build::StepNetwork {
 public:
  // As RunNetwork::Start.
  static Result<std::unique_ptr<BuildNetwork>> Start(const network::Spec& spec, const Ways& ways);

  Result<void> Open(const SandboxId& sandbox, engine::NetworkSockets sockets) override;
  void Close(const SandboxId& sandbox) override;

  // "HOST:PORT (why)" of what steps asked for and did not reach, each once, the first of them.
  std::vector<std::string> Denied();

 private:
  static constexpr size_t kMaxDenied = 20;
  explicit BuildNetwork(std::unique_ptr<RunNetwork> network) : network_(std::move(network)) {}

  std::mutex mutex_;
  std::unique_ptr<RunNetwork> network_;
  std::set<std::string> denied_;
};

}  // namespace cay::cli
