#include "network/relay/check.h"

namespace cay::network {

Checked::Target Check::Judge(const Address& address) {
  const Decision decision = policy_.OfAddress(name_, address, port_, machine_.IsOwn(address));
  return {.address = address.Text(),
          .allowed = decision.allowed,
          .reason = Explain(decision, name_, &address)};
}

void Check::Finish(const Decision& decision) {
  checked_.allowed = decision.allowed;
  checked_.rule = decision.rule;
  if (checked_.reason.empty()) checked_.reason = Explain(decision, name_, nullptr);
  const Done done = std::move(done_);
  done(checked_);
}

void Check::Start(const std::string& host, uint16_t port) {
  port_ = port;
  if (const auto address = Address::Parse(host)) {
    const Decision decision = policy_.OfAddress({}, *address, port, machine_.IsOwn(*address));
    checked_.targets.push_back(Judge(*address));
    checked_.reason = checked_.targets.front().reason;
    return Finish(decision);
  }
  const auto name = NormalName(host);
  if (!name) {
    checked_.reason = "it is no name that a rule could allow";
    return Finish({});
  }
  name_ = *name;
  if (IsHostName(name_)) {
    const Decision decision = policy_.OfHost(port);
    if (decision.allowed) {
      for (const Address& address : MachineAddresses::Loopback())
        checked_.targets.push_back({.address = address.Text(), .allowed = true});
    }
    return Finish(decision);
  }
  const Decision decision = policy_.OfConnection(name_, port);
  if (!decision.allowed) return Finish(decision);  // and nobody is asked for the name
  checked_.rule = decision.rule;
  resolving_ = resolver_.Resolve(
      name_, [this](Result<std::vector<Address>> addresses) { OfAddresses(std::move(addresses)); });
}

void Check::OfAddresses(Result<std::vector<Address>> addresses) {
  Decision decision{.allowed = false, .rule = checked_.rule};
  if (!addresses) {
    checked_.reason = addresses.error().message();
    return Finish(decision);
  }
  for (const Address& address : *addresses) {
    checked_.targets.push_back(Judge(address));
    decision.allowed = decision.allowed || checked_.targets.back().allowed;
  }
  checked_.reason = decision.allowed ? Explain(policy_.OfConnection(name_, port_), name_, nullptr)
                                     : checked_.targets.front().reason;
  Finish(decision);
}

}  // namespace cay::network
