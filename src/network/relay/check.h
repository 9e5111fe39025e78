// Check: what would become of a connection, without making it: by which rule, and to which
// addresses. The same questions are asked, in the same order, as Connection does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "network/link/messages.h"
#include "network/policy/policy.h"
#include "network/relay/connection.h"
#include "network/resolver/resolver.h"

namespace cay::network {

class Check {
 public:
  using Done = std::function<void(Checked checked)>;

  Check(const RelayParts& parts, Policy policy, Done done)
      : parts_(parts), policy_(std::move(policy)), done_(std::move(done)) {}

  // `done` is called once, in it or later from the loop. `host`: a name, or an address.
  void Start(const std::string& host, uint16_t port);

 private:
  void Route();
  void OfProxy(Result<std::vector<Address>> addresses);
  void Resolve();
  void OfAddresses(Result<std::vector<Address>> addresses);
  Checked::Target Judge(const Address& address);
  void Finish(const Decision& decision);
  void Deny(std::string reason);

  const RelayParts& parts_;
  Policy policy_;
  Done done_;
  std::string name_;  // empty: an address was asked about
  Address address_;
  uint16_t port_ = 0;
  Decision decision_;  // before anything is resolved
  std::vector<Address> proxy_addresses_;
  Checked checked_;
  Resolver::Ticket resolving_;
};

}  // namespace cay::network
