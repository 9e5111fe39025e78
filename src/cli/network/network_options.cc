#include "cli/network/network_options.h"

#include <cstdlib>
#include <string>

#include "base/text.h"

#include "network/cache/cache_directory.h"
#include "network/policy/preset.h"
#include "network/transfer/proxy.h"

namespace cay::cli {
namespace {

using network::Mode;
using network::Spec;

void AllowAtLeast(Spec& spec) {
  if (spec.mode == Mode::kNone) spec.mode = Mode::kAllow;
}

}  // namespace

Result<void> AddNet(Spec& spec, std::string_view value) {
  if (value == "none" || value == "open") {
    const Mode mode = value == "open" ? Mode::kOpen : Mode::kNone;
    const bool otherwise = !spec.presets.empty() || (mode == Mode::kNone && !spec.allow.empty());
    if (otherwise && mode == Mode::kNone)
      return Failure(Error::Invalid("\"none\" goes with no other network option"));
    spec.mode = mode;
    return {};
  }
  for (std::string_view rest = value; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    if (const auto found = network::FindPreset(rest.substr(0, end)); !found)
      return Failure(found.error());
    spec.presets.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (spec.presets.empty()) return Failure(Error::Invalid("it names no preset"));
  AllowAtLeast(spec);
  return {};
}

Result<void> AddAllow(Spec& spec, std::string_view value) {
  if (const auto rule = network::Rule::Parse(value); !rule) return Failure(rule.error());
  spec.allow.emplace_back(value);
  AllowAtLeast(spec);
  return {};
}

Result<void> SetDns(Spec& spec, std::string_view value) {
  spec.dns = TRY(network::ParseDnsMode(value));
  return {};
}

Result<void> SetProxy(Ways& ways, std::string_view value) {
  const network::Proxy proxy = TRY(network::Proxy::Parse(value));
  if (!proxy.password.empty()) {
    return Failure(Error::Invalid("everybody on this machine sees a password in a command line")
                       .WithRemedy("put the URL into the environment, as CAY_NETWORK_PROXY"));
  }
  ways.proxy = value;
  return {};
}

Result<void> SetCache(Ways& ways, std::string_view value) {
  if (value.empty()) return {};
  const Bytes bytes = TRY(ParseBytes(value));
  if (bytes != 0 && bytes < network::CacheBounds::kMinBytes) {
    return Failure(Error::Invalid("a package cache of less than " +
                                  FormatBytes(network::CacheBounds::kMinBytes))
                       .WithRemedy("use 0 for none"));
  }
  ways.cache = bytes;
  return {};
}

Result<network::HelloRequest> GreetingOf(const Ways& ways) {
  const auto variable = [](const char* name) -> std::string_view {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  network::HelloRequest greeting{.resolvers = ways.resolvers, .proxy = ways.proxy};
  if (greeting.proxy.empty()) greeting.proxy = variable("CAY_NETWORK_PROXY");
  for (const std::string_view rule : Split(variable("CAY_NETWORK_NO_PROXY"), ' ')) {
    if (!rule.empty()) greeting.no_proxy.emplace_back(rule);
  }
  Ways cache = ways;
  if (!cache.cache) {
    if (const auto set = SetCache(cache, variable("CAY_NETWORK_CACHE")); !set)
      return Failure(Error(set.error()).WithContext("CAY_NETWORK_CACHE"));
  }
  greeting.cache_bytes = cache.cache.value_or(0);
  if (greeting.proxy.empty()) return greeting;
  auto plan = network::ProxyPlan::Make(greeting.proxy, greeting.no_proxy);
  if (plan) return greeting;
  return Failure(std::move(plan).error().WithContext("CAY_NETWORK_PROXY or CAY_NETWORK_NO_PROXY"));
}

Result<void> AddDeny(Spec& spec, std::string_view value) {
  if (const auto rule = network::Rule::Parse(value); !rule) return Failure(rule.error());
  spec.deny.emplace_back(value);
  return {};
}

}  // namespace cay::cli
