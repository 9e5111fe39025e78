#include "sandbox/network/step_network.h"

#include <utility>

#include "sandbox/rules/network_rules.h"

namespace cay::sandbox {
namespace {

class ServedSteps final : public build::StepNetwork {
 public:
  ServedSteps(NetworkKeeper& networks, std::string owner, NetworkSpec spec)
      : networks_(networks), owner_(std::move(owner)), spec_(std::move(spec)) {}

  Result<void> Open(const SandboxId& sandbox, engine::NetworkSockets sockets) override {
    auto opened =
        networks_.OpenPlain(sandbox, owner_, spec_, {.sockets = std::move(sockets), .guest = {}});
    if (!opened) networks_.Forget(sandbox);
    return opened;
  }
  void Close(const SandboxId& sandbox) override { networks_.Forget(sandbox); }

 private:
  NetworkKeeper& networks_;
  const std::string owner_;
  const NetworkSpec spec_;
};

Result<void> CheckForSteps(const NetworkSpec& asked) {
  const auto refuse = [](const std::string& what) {
    return Failure(
        Error::Impossible("\"network." + what + "\" is of sandboxes: steps of a build have none"));
  };
  if (!asked.join.empty()) return refuse("join");
  if (!asked.aliases.empty()) return refuse("aliases");
  if (!asked.publish.empty()) return refuse("publish");
  if (!asked.secrets.empty()) return refuse("secrets");
  return {};
}

}  // namespace

Result<std::unique_ptr<build::StepNetwork>> MakeStepNetwork(NetworkKeeper& networks,
                                                            const std::string& owner,
                                                            const NetworkSpec& asked,
                                                            const NetworkOptions& options) {
  TRY(CheckForSteps(asked));
  NetworkSpec spec = TRY(ResolveNetwork(asked, "", options));
  if (spec.none()) return std::unique_ptr<build::StepNetwork>();
  return std::make_unique<ServedSteps>(networks, owner, std::move(spec));
}

}  // namespace cay::sandbox
