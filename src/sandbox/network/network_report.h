// What is told of a sandbox's network.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "network/link/counts.h"
#include "network/link/flow.h"
#include "network/link/messages.h"
#include "network/link/sockets.h"
#include "network/policy/policy.h"
#include "sandbox/network/flow_ring.h"
#include "sandbox/secrets/secret_keeper.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// How a sandbox's network does.
struct NetworkStanding {
  bool wanted = false;  // the sandbox runs, and has a network
  bool served = false;
  std::string problem{};  // why it is wanted and not served
  std::optional<network::Steering> steering{};
  network::NetworkCounts counts{};  // since the server knows the sandbox
};

// A published port, and how it does.
struct PublishedStanding {
  std::string rule{};
  std::string address{};
  uint16_t host_port = 0;
  uint16_t port = 0;
  bool listening = false;
  std::string problem{};  // why it does not listen
};

// What was denied, or failed, since some moment.
struct DeniedFlows {
  static constexpr size_t kMost = 32;
  std::vector<network::Flow> flows{};  // the first
  uint64_t more = 0;
};

// What would become of a connection.
struct NetworkCheck {
  std::string host{};
  uint16_t port = 0;
  network::Checked checked{};
};

struct NetworkReport {
  SandboxState state = SandboxState::kRunning;
  NetworkSpec spec{};
  network::Bounds bounds{};
  NetworkStanding standing{};
  std::vector<network::Peer> peers{};
  std::vector<PublishedStanding> published{};
  std::vector<SecretStanding> secrets{};
};

}  // namespace cay::sandbox
