// The order in which the addresses of a name are tried, for a dialler that begins with the next
// before the one before it has failed (RFC 8305): families in turn, first the one that RFC 6724
// would prefer here; what the machine has no way to at all, last.
//
//   OrderForDialling(v6, v4, [](const Address& to) { return SourceFor(to); });
//
// Within a family the order is the name server's: it is how load is spread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "network/policy/address.h"

namespace cay::network {

// The address from which this machine would speak to `to`; nothing where there is no way. Sends
// nothing, and waits for nothing.
std::optional<Address> SourceFor(const Address& to);

using SourceOf = std::function<std::optional<Address>(const Address& to)>;

// Asks for the source of the first address of each family only.
std::vector<Address> OrderForDialling(std::span<const Address> v6, std::span<const Address> v4,
                                      const SourceOf& source);

}  // namespace cay::network
