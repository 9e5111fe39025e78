// AddressGuard: at which addresses a server may be reached. An image's name is a client's, and so
// is its registry's: this program could otherwise be made to ask what only it reaches (its
// machine's own ports, its neighbours, a cloud's metadata).
//
//   for (const network::Address& address : TRY(guard.Allowed("registry.example", 443))) …dial it…
//
// A name is looked up for each connection anew, what it gave is checked, and exactly what was
// checked is dialled: a name that answers differently the second time (DNS rebinding) gains
// nothing. Any thread may ask.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/policy/address.h"
#include "template/registry/rules/registry_settings.h"

namespace cay::templates::registry {

// All addresses of a name, or of an address as it is written. kUnavailable: it has none.
using Lookup = std::function<Result<std::vector<network::Address>>(const std::string& host)>;

// The system's: getaddrinfo(3), which waits as long as resolv.conf(5) says.
Result<std::vector<network::Address>> LookUpHost(const std::string& host);

class AddressGuard {
 public:
  static constexpr size_t kMaxAddresses = 8;  // tried of those that a name has

  // `rules` outlives it.
  AddressGuard(const RegistryRules& rules, Lookup lookup)
      : rules_(rules), lookup_(std::move(lookup)) {}

  // Those of `host` that are public or named, at most kMaxAddresses. kPermissionDenied when it has
  // others only: says which address, of what kind, and what would allow it.
  Result<std::vector<network::Address>> Allowed(const std::string& host, uint16_t port) const;

 private:
  const RegistryRules& rules_;
  Lookup lookup_;
};

}  // namespace cay::templates::registry
