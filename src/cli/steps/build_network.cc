#include "cli/steps/build_network.h"

#include <utility>

namespace cay::cli {

Result<std::unique_ptr<BuildNetwork>> BuildNetwork::Start(const network::Spec& spec,
                                                          const Ways& ways) {
  // What a package cache keeps would be served by a certificate that only the step trusts: its
  // files would have it.
  Ways plain = ways;
  plain.cache = 0;
  auto network = TRY(RunNetwork::Start(spec, plain, /*state_dir=*/""));
  return std::unique_ptr<BuildNetwork>(new BuildNetwork(std::move(network)));
}

Result<void> BuildNetwork::Open(const SandboxId& sandbox, engine::NetworkSockets sockets) {
  const std::lock_guard lock(mutex_);
  return network_->Open(sandbox, std::move(sockets));
}

void BuildNetwork::Close(const SandboxId& sandbox) {
  const std::lock_guard lock(mutex_);
  for (const network::Flow& flow : network_->Close(sandbox).denied) {
    if (denied_.size() == kMaxDenied) return;
    denied_.insert(PlaceOf(flow) + " (" + flow.reason + ")");
  }
}

std::vector<std::string> BuildNetwork::Denied() {
  const std::lock_guard lock(mutex_);
  return {denied_.begin(), denied_.end()};
}

}  // namespace cay::cli
