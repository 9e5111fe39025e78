#include "sandbox/rules/network_rules.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/encoding.h"
#include "network/policy/publish.h"

namespace cay::sandbox {
namespace {

Result<void> CheckNames(std::string_view list, const std::vector<std::string>& names, size_t most) {
  const std::string where = "\"network." + std::string(list) + "\"";
  if (names.size() > most) {
    return Failure(Error::Impossible(where + " has " + std::to_string(names.size()) +
                                     " names, and at most " + std::to_string(most) +
                                     " are allowed"));
  }
  for (const std::string& name : names) {
    if (network::IsNetworkName(name)) continue;
    return Failure(Error::Impossible(where + ": \"" + ToUtf8Lossy(name.substr(0, 64)) +
                                     "\" is no name: one has letters, digits, \".\", \"_\" and "
                                     "\"-\", at most 64, and begins with a letter or digit"));
  }
  return {};
}

Result<void> CheckPublish(const std::vector<std::string>& rules) {
  if (rules.size() > NetworkSpec::kMaxPublish) {
    return Failure(Error::Impossible("\"network.publish\" has " + std::to_string(rules.size()) +
                                     " ports, and at most " +
                                     std::to_string(NetworkSpec::kMaxPublish) + " are allowed"));
  }
  std::vector<network::PublishRule> all;
  for (const std::string& text : rules) {
    auto rule = network::PublishRule::Parse(text);
    if (!rule) {
      rule.error().set_sys_errno(EINVAL);  // well formed it is
      return Failure(std::move(rule).error().WithContext("network.publish"));
    }
    const auto same_place = [&](const network::PublishRule& other) {
      return other.host_port != 0 && other.host_port == rule->host_port &&
             other.address == rule->address;
    };
    if (std::ranges::any_of(all, same_place))
      return Failure(Error::Impossible("\"network.publish\" has the port " +
                                       std::to_string(rule->host_port) + " twice"));
    all.push_back(*rule);
  }
  return {};
}

Result<void> CheckBetween(std::string_view name, uint64_t value, uint64_t most) {
  if (value >= 1 && value <= most) return {};
  return Failure(Error::Impossible("\"network.limits." + std::string(name) + "\" of " +
                                   std::to_string(value) + " is not from 1 to " +
                                   std::to_string(most)));
}

// One limit and what the administrator says of it; 0: any, of both.
struct Bound {
  std::string_view name;  // of network.limits
  uint64_t value;
  uint64_t maximum;
  std::string_view key;
  std::string (*show)(uint64_t value);
};

Result<void> CheckMaximum(const Bound& bound) {
  if (bound.maximum == 0 || (bound.value != 0 && bound.value <= bound.maximum)) return {};
  const std::string most = bound.show(bound.maximum);
  const std::string asked = bound.value == 0 ? "any number" : bound.show(bound.value);
  return Failure(Error(ErrorCode::kLimitTooHigh, Fault::kCaller,
                       "\"network.limits." + std::string(bound.name) + "\" of " + asked +
                           " is over the maximum of " + most)
                     .WithRemedy("ask for " + most + " or less, or raise " +
                                 std::string(bound.key) + " in the configuration"));
}

std::string Plain(uint64_t value) { return std::to_string(value); }
std::string Size(uint64_t value) { return FormatBytes(value); }
std::string Seconds(uint64_t value) { return std::to_string(value) + "s"; }

uint64_t SecondsOf(Millis time) { return static_cast<uint64_t>(time.count()) / 1000; }

Result<void> CheckLimits(const network::NetworkLimits& limits, const NetworkMaxima& most) {
  TRY(CheckBetween("connections", limits.connections, network::NetworkLimits::kMaxConnections));
  TRY(CheckBetween("connections_per_second", limits.connections_per_second, UINT32_MAX));
  TRY(CheckBetween("idle", limits.idle_seconds, UINT32_MAX));
  TRY(CheckMaximum(
      {"connections", limits.connections, most.connections, "network.max_connections", &Plain}));
  TRY(CheckMaximum({"connections_per_second", limits.connections_per_second,
                    most.connections_per_second, "network.max_connections_per_second", &Plain}));
  TRY(CheckMaximum({"bytes_per_second", limits.bytes_per_second, most.bytes_per_second,
                    "network.max_bytes_per_second", &Size}));
  TRY(CheckMaximum({"bytes", limits.bytes, most.bytes, "network.max_bytes", &Size}));
  return CheckMaximum(
      {"idle", limits.idle_seconds, SecondsOf(most.idle), "network.max_idle", &Seconds});
}

// What was not said is what limits begin with, or the maximum where that is less.
void FillLimits(network::NetworkLimits& limits, uint32_t said, const NetworkMaxima& most) {
  const network::NetworkLimits usual;
  uint32_t next = 0;
  const auto fill = [&]<class T>(T network::NetworkLimits::* member, uint64_t maximum) {
    const bool was_said = ((said >> next) & 1U) != 0 || limits.*member != usual.*member;
    ++next;
    const bool is_over = maximum != 0 && (limits.*member == 0 || limits.*member > maximum);
    if (!was_said && is_over) limits.*member = static_cast<T>(maximum);
  };
  using network::NetworkLimits;
  fill(&NetworkLimits::connections, most.connections);
  fill(&NetworkLimits::connections_per_second, most.connections_per_second);
  fill(&NetworkLimits::bytes_per_second, most.bytes_per_second);
  fill(&NetworkLimits::bytes, most.bytes);
  fill(&NetworkLimits::idle_seconds, SecondsOf(most.idle));
}

}  // namespace

Result<void> CheckNetwork(const NetworkSpec& spec, const NetworkOptions& options) {
  const auto compiled = network::Policy::Compile(spec.policy, options.bounds);
  if (!compiled) {
    Error error = compiled.error();
    // Well formed it is.
    if (error.code() == ErrorCode::kInvalidArgument) error.set_sys_errno(EINVAL);
    return Failure(std::move(error).WithContext("network"));
  }
  TRY(CheckNames("join", spec.join, NetworkSpec::kMaxJoin));
  TRY(CheckNames("aliases", spec.aliases, NetworkSpec::kMaxAliases));
  TRY(CheckPublish(spec.publish));
  return CheckLimits(spec.limits, options.maxima);
}

Result<NetworkSpec> ResolveNetwork(const NetworkSpec& asked, const std::string& template_name,
                                   const NetworkOptions& options) {
  NetworkSpec spec = asked;
  const auto of_template = options.of_templates.find(template_name);
  if (asked == NetworkSpec() && of_template != options.of_templates.end())
    spec = of_template->second;
  FillLimits(spec.limits, std::exchange(spec.said_limits, 0), options.maxima);
  spec.said = false;
  TRY(CheckNetwork(spec, options));
  return spec;
}

}  // namespace cay::sandbox
