// The network of a sandbox as it is typed: --net, --allow, --deny, which mean the same for every
// command that makes one.
//
//   struct Options { network::Spec network; };
//   constexpr OptionSpec kOptions[] = {kNetOption<Options>, kAllowOption<Options>, kDenyOption<Options>};
#pragma once

#include <string_view>

#include "cli/frame/command.h"
#include "network/policy/policy.h"

namespace cay::cli {

// "none", "open", or names of presets with commas between them. What earlier options have allowed
// stays.
Result<void> AddNet(network::Spec& spec, std::string_view value);
// A rule, read once so that a wrong one is told with its option.
Result<void> AddAllow(network::Spec& spec, std::string_view value);
Result<void> AddDeny(network::Spec& spec, std::string_view value);

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

}  // namespace cay::cli
