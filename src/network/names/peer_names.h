// PeerNames: other sandboxes that one reaches by name, and nothing else than their listening ports:
// their ids by their names, which are in lower case.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace cay::network {

using PeerNames = std::map<std::string, std::string, std::less<>>;

}  // namespace cay::network
