#include "network/relay/check.h"

namespace cay::network {

Checked::Target Check::Judge(const Address& address) {
  if (parts_.proxy != nullptr && parts_.proxy->Leads({}, address, proxy_addresses_))
    return {.address = address.Text(), .allowed = false, .reason = std::string(kIsTheProxy)};
  const Decision decision = policy_.OfAddress(name_, address, port_, parts_.machine.IsOwn(address));
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

void Check::Deny(std::string reason) {
  checked_.reason = std::move(reason);
  Finish({.allowed = false, .rule = checked_.rule});
}

void Check::Start(const std::string& host, uint16_t port) {
  port_ = port;
  if (const auto address = Address::Parse(host)) {
    address_ = *address;
    decision_ = policy_.OfAddress({}, address_, port, parts_.machine.IsOwn(address_));
    if (decision_.allowed) return Route();
    checked_.targets.push_back(Judge(address_));
    checked_.reason = checked_.targets.front().reason;
    return Finish(decision_);
  }
  const auto name = NormalName(host);
  if (!name) return Deny("it is no name that a rule could allow");
  name_ = *name;
  decision_ = IsHostName(name_) ? policy_.OfHost(port) : policy_.OfConnection(name_, port);
  if (!decision_.allowed) return Finish(decision_);  // and nobody is asked for the name
  checked_.rule = decision_.rule;
  if (!IsHostName(name_)) return Route();
  OfAddresses(MachineAddresses::Loopback());
}

void Check::Route() {
  if (parts_.proxy == nullptr) return Resolve();
  const std::string& host = parts_.proxy->proxy.host;
  if (const auto literal = Address::Parse(host)) return OfProxy(std::vector<Address>{*literal});
  resolving_ = parts_.resolver.Resolve(
      host, [this](Result<std::vector<Address>> addresses) { OfProxy(std::move(addresses)); });
}

void Check::OfProxy(Result<std::vector<Address>> addresses) {
  const ProxyPlan& plan = *parts_.proxy;
  if (addresses) proxy_addresses_ = *addresses;
  if (plan.Leads(name_, address_, proxy_addresses_)) return Deny(std::string(kIsTheProxy));
  if (!plan.Through(name_, address_, port_)) return Resolve();
  checked_.proxy = plan.proxy.Text();
  if (!addresses) return Deny("its proxy is not found: " + addresses.error().message());
  if (name_.empty()) {
    checked_.targets.push_back(Judge(address_));
    checked_.reason = checked_.targets.front().reason;
  }
  Finish(decision_);
}

void Check::Resolve() {
  if (name_.empty()) return OfAddresses(std::vector<Address>{address_});
  resolving_ = parts_.resolver.Resolve(
      name_, [this](Result<std::vector<Address>> addresses) { OfAddresses(std::move(addresses)); });
}

void Check::OfAddresses(Result<std::vector<Address>> addresses) {
  if (!addresses) return Deny(addresses.error().message());
  Decision decision{.allowed = false, .rule = decision_.rule};
  for (const Address& address : *addresses) {
    checked_.targets.push_back(Judge(address));
    decision.allowed = decision.allowed || checked_.targets.back().allowed;
  }
  const bool by_name = decision.allowed && !name_.empty();
  checked_.reason = by_name ? Explain(decision_, name_, nullptr) : checked_.targets.front().reason;
  Finish(decision);
}

}  // namespace cay::network
