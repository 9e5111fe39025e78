// The network of a sandbox as it is typed: --net, --allow, --deny, which mean the same for every
// command that makes one.
//
//   struct Options { network::Spec network; };
//   constexpr OptionSpec kOptions[] = {kNetOption<Options>, kAllowOption<Options>, kDenyOption<Options>};
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/frame/command.h"
#include "network/link/messages.h"
#include "network/policy/policy.h"

namespace cay::cli {

// "none", "open", or names of presets with commas between them. What earlier options have allowed
// stays.
Result<void> AddNet(network::Spec& spec, std::string_view value);
// A rule, read once so that a wrong one is told with its option.
Result<void> AddAllow(network::Spec& spec, std::string_view value);
Result<void> AddDeny(network::Spec& spec, std::string_view value);
Result<void> SetDns(network::Spec& spec, std::string_view value);

// How what it reaches is reached, where no server says so: --resolver, --proxy.
struct Ways {
  std::vector<std::string> resolvers;  // name servers; none: the machine's
  std::string proxy;                   // empty: CAY_NETWORK_PROXY, if that is set
  std::optional<Bytes> cache;          // none: CAY_NETWORK_CACHE; 0: no package cache
};
// A proxy without a password: everybody sees a command line.
Result<void> SetProxy(Ways& ways, std::string_view value);
// "2g", or "0" for none.
Result<void> SetCache(Ways& ways, std::string_view value);
// For a relay. The proxy's password comes with CAY_NETWORK_PROXY, and what goes without a proxy
// with CAY_NETWORK_NO_PROXY: the same variables as a server's, network.proxy and network.no_proxy,
// as CAY_NETWORK_CACHE is for network.cache.
Result<network::HelloRequest> GreetingOf(const Ways& ways);

template <class Options>
constexpr OptionSpec kNetOption = {
    .name = "net",
    .value = "WHAT",
    .help =
        "What it reaches: none, open (the public internet), or presets as pypi,npm (default "
        "none); repeatable",
    .group = "Network",
    .example = "pypi,npm",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      return AddNet(static_cast<Options*>(options)->network, value);
    }};

template <class Options>
constexpr OptionSpec kAllowOption = {
    .name = "allow",
    .value = "HOST[:PORT]",
    .help = "It reaches this name, *.name, address or range, too; repeatable",
    .example = "example.com:443",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      return AddAllow(static_cast<Options*>(options)->network, value);
    }};

template <class Options>
constexpr OptionSpec kDenyOption = {
    .name = "deny",
    .value = "HOST[:PORT]",
    .help = "It does not reach this, whatever else says so; repeatable",
    .example = "*.example.com",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      return AddDeny(static_cast<Options*>(options)->network, value);
    }};

template <class Options>
constexpr OptionSpec kDnsOption = {
    .name = "dns",
    .value = "HOW",
    .help =
        "What names are answered with: names (addresses that stand for them, the default) or "
        "real (what their own servers say)",
    .example = "real",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      return SetDns(static_cast<Options*>(options)->network, value);
    }};

template <class Options>
constexpr OptionSpec kResolverOption = {
    .name = "resolver",
    .value = "ADDR:PORT",
    .help = "Name server for what it reaches (default: this machine's); repeatable",
    .example = "192.0.2.53:53",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      static_cast<Options*>(options)->ways.resolvers.emplace_back(value);
      return {};
    }};

template <class Options>
constexpr OptionSpec kProxyOption = {
    .name = "proxy",
    .value = "URL",
    .help = "Connect through http:// or socks5://HOST:PORT (default CAY_NETWORK_PROXY)",
    .example = "http://proxy.example:3128",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      return SetProxy(static_cast<Options*>(options)->ways, value);
    }};

template <class Options>
constexpr OptionSpec kCacheOption = {
    .name = "cache",
    .value = "SIZE",
    .help =
        "Keep what registries of packages send, up to this size, for later runs (default "
        "CAY_NETWORK_CACHE, or 0: not)",
    .example = "2g",
    .apply = [](void* options, std::string_view value) -> Result<void> {
      return SetCache(static_cast<Options*>(options)->ways, value);
    }};

}  // namespace cay::cli
