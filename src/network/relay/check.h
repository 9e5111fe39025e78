// Check: what would become of a connection, without making it: by which rule, and to which
// addresses. The same questions are asked, in the same order, as Connection does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "network/link/messages.h"
#include "network/policy/policy.h"
#include "network/relay/machine_addresses.h"
#include "network/resolver/resolver.h"

namespace cay::network {

class Check {
 public:
  using Done = std::function<void(Checked checked)>;

  Check(Resolver& resolver, MachineAddresses& machine, Policy policy, Done done)
      : resolver_(resolver),
        machine_(machine),
        policy_(std::move(policy)),
        done_(std::move(done)) {}

  // `done` is called once, in it or later from the loop. `host`: a name, or an address.
  void Start(const std::string& host, uint16_t port);

 private:
  void OfAddresses(Result<std::vector<Address>> addresses);
  Checked::Target Judge(const Address& address);
  void Finish(const Decision& decision);

  Resolver& resolver_;
  MachineAddresses& machine_;
  Policy policy_;
  Done done_;
  std::string name_;  // empty: an address was asked about
  uint16_t port_ = 0;
  Checked checked_;
  Resolver::Ticket resolving_;
};

}  // namespace cay::network
