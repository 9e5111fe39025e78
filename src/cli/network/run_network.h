// The network of one run, or of the steps of a build: its relay is a fork of `cay`, and ends with
// it.
//
//   auto network = TRY(RunNetwork::Start(options.network, options.ways)); // while the launcher starts
//   TRY(network->Open(id, *std::move(created.network)));                  // the sandbox is there
//   … the command …
//   result.network = network->Told();
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/network/network_options.h"
#include "crypto/authority.h"
#include "engine/engine.h"
#include "network/link/relay_link.h"

namespace cay::cli {

// What a run's result says of its network.
struct RunFlows {
  std::vector<network::Flow> denied;  // and those that failed
  uint64_t dropped = 0;               // older ones, which nobody remembers
  network::NetworkCounts counts;
};

// Where it went, as people write it: "example.com:443", "[::1]:80".
std::string PlaceOf(const network::Flow& flow);

class RunNetwork {
 public:
  // kInvalidArgument for a policy that cannot be: before anything is made. `state_dir`: where the
  // package cache is; empty: nothing is asked of one.
  static Result<std::unique_ptr<RunNetwork>> Start(const network::Spec& spec, const Ways& ways,
                                                   const std::string& state_dir);
  // Before Open: makes an authority for what is intercepted, if anything is. `trusted`: files with
  // authorities, beside this machine's. kImpossible for a host of a secret that the policy does not
  // let the command reach.
  Result<void> Intercept(std::vector<network::Secret> secrets,
                         const std::vector<std::string>& trusted);

  // What would become of a connection.
  Result<network::Checked> Check(const std::string& host, uint16_t port);
  Result<void> Open(const SandboxId& id, engine::NetworkSockets sockets);
  // Of one that is gone; what it was denied is told before.
  RunFlows Close(const SandboxId& id);
  // Of a published port, from any thread: whether a network was opened or not.
  Result<void> PassOn(const network::RelayOrder& order, const Fd& outside, const Fd& inside) {
    return link_.Relay(order, outside, inside);
  }
  // The certificate with which requests are intercepted; empty: none are.
  const std::string& certificate() const { return authority_.certificate; }
  // Of a relay that has ended: nothing.
  RunFlows Told() { return id_ ? ToldOf(*id_) : RunFlows(); }

 private:
  RunFlows ToldOf(const SandboxId& id);
  RunNetwork(network::Terms terms, network::HelloRequest greeting, Fd control)
      : terms_(std::move(terms)), greeting_(std::move(greeting)), link_(std::move(control)) {}

  network::Terms terms_;
  network::HelloRequest greeting_;
  network::RelayLink link_;
  Identity authority_;
  std::vector<Fd> trusted_;
  std::optional<SandboxId> id_;  // the last that was opened
};

}  // namespace cay::cli
