#include "config/config_values.h"

#include "config/pool_text.h"
#include "config/template_text.h"
#include "network/cache/cache_directory.h"
#include "network/link/messages.h"
#include "network/transfer/proxy.h"

namespace cay::config {
namespace {

constexpr std::string_view kLevels[] = {"error", "warning", "info", "debug"};
constexpr std::string_view kFormats[] = {"text", "json"};
constexpr std::string_view kExecutionLogs[] = {"off", "summary", "full"};
constexpr std::string_view kOnTimeouts[] = {"destroy", "stop", "pause"};

Error NotOneOf(const std::string& value, std::span<const std::string_view> words) {
  std::string list;
  for (const std::string_view word : words) list.append(list.empty() ? "" : ", ").append(word);
  return Error::Invalid("\"" + value + "\" is none of " + list);
}

}  // namespace

Result<void> SetLogLevelKey(Config& config, const Values& values) {
  const auto* found = std::ranges::find(kLevels, values[0]);
  if (found == std::end(kLevels)) return Failure(NotOneOf(values[0], kLevels));
  config.log_level = static_cast<LogLevel>(found - kLevels);
  return {};
}
Values ShowLogLevel(const Config& config) {
  return {std::string(kLevels[static_cast<size_t>(config.log_level)])};
}

Result<void> SetLogFormatKey(Config& config, const Values& values) {
  const auto* found = std::ranges::find(kFormats, values[0]);
  if (found == std::end(kFormats)) return Failure(NotOneOf(values[0], kFormats));
  config.log_format = *found == "json" ? LogFormat::kJson : LogFormat::kText;
  return {};
}
Values ShowLogFormat(const Config& config) {
  return {config.log_format == LogFormat::kJson ? "json" : "text"};
}

Result<void> SetExecutionLog(Config& config, const Values& values) {
  const auto* found = std::ranges::find(kExecutionLogs, values[0]);
  if (found == std::end(kExecutionLogs)) return Failure(NotOneOf(values[0], kExecutionLogs));
  config.commands.log = static_cast<sandbox::ExecutionLog>(found - kExecutionLogs);
  return {};
}
Values ShowExecutionLog(const Config& config) {
  return {std::string(kExecutionLogs[static_cast<size_t>(config.commands.log)])};
}

Result<void> SetOnTimeout(Config& config, const Values& values) {
  const auto* found = std::ranges::find(kOnTimeouts, values[0]);
  if (found == std::end(kOnTimeouts)) return Failure(NotOneOf(values[0], kOnTimeouts));
  config.manager.default_on_timeout = static_cast<sandbox::OnTimeout>(found - kOnTimeouts);
  return {};
}
Values ShowOnTimeout(const Config& config) {
  return {std::string(kOnTimeouts[static_cast<size_t>(config.manager.default_on_timeout)])};
}

Result<void> SetListen(Config& config, const Values& values) {
  if (values.empty()) return Failure(Error::Invalid("there must be at least one address"));
  config.listen = values;
  return {};
}

Result<void> SetPools(Config& config, const Values& values) {
  for (const std::string& value : values) TRY(ParsePool(value, config.manager.default_limits));
  config.pools = values;
  return {};
}

Result<void> SetTemplates(Config& config, const Values& values) {
  config.manager.network.of_templates = TRY(ParseTemplates(values));
  config.templates = values;
  return {};
}

Result<void> SetPullPolicy(Config& config, const Values& values) {
  config.pulls.policy = TRY(sandbox::ParsePullPolicy(values[0]));
  return {};
}
Result<void> SetBuildPolicy(Config& config, const Values& values) {
  config.builds.policy = TRY(sandbox::ParseBuildPolicy(values[0]));
  return {};
}
Values ShowBuildPolicy(const Config& config) {
  return {std::string(sandbox::BuildPolicyName(config.builds.policy))};
}
Result<void> SetPackagePolicy(Config& config, const Values& values) {
  config.builds.packages = TRY(sandbox::ParseBuildPolicy(values[0]));
  return {};
}
Values ShowPackagePolicy(const Config& config) {
  return {std::string(sandbox::BuildPolicyName(config.builds.packages))};
}
Result<void> SetPackageRules(Config& config, const Values& values) {
  const network::Spec spec{.mode = network::Mode::kAllow, .allow = values};
  TRY(network::Policy::Compile(spec, {.private_allowed = values}));
  config.builds.packages_allow = values;
  return {};
}
Result<void> SetPackageVariables(Config& config, const Values& values) {
  for (const std::string& value : values) {
    const size_t equals = value.find('=');
    if (equals != 0 && equals != std::string::npos) continue;
    return Failure(Error::Invalid("\"" + value.substr(0, 80) + "\" is not NAME=VALUE"));
  }
  config.builds.packages_env = values;
  return {};
}
Result<void> SetPackageAuthorities(Config& config, const Values& values) {
  for (const std::string& file : values) {
    if (!file.starts_with('/'))
      return Failure(Error::Invalid("\"" + file.substr(0, 200) + "\" is not an absolute path"));
  }
  config.builds.packages_ca = values;
  return {};
}
Values ShowPullPolicy(const Config& config) {
  return {std::string(sandbox::PullPolicyName(config.pulls.policy))};
}

Result<void> SetNetworkMode(Config& config, const Values& values) {
  config.manager.network.bounds.max_mode = TRY(network::ParseMode(values[0]));
  return {};
}
Values ShowNetworkMode(const Config& config) {
  return {std::string(network::ModeName(config.manager.network.bounds.max_mode))};
}

namespace {

Result<void> CheckCount(const Values& values, size_t most) {
  if (values.size() <= most) return {};
  return Failure(Error::Invalid("these are " + std::to_string(values.size()) +
                                ", more than the maximum of " + std::to_string(most)));
}

}  // namespace

Result<void> SetPrivateAllowed(Config& config, const Values& values) {
  TRY(CheckCount(values, network::Spec::kMaxRules));
  for (const std::string& value : values) {
    const network::Rule rule = TRY(network::Rule::Parse(value));
    if (rule.name() == nullptr) continue;
    return Failure(
        Error::Invalid("\"" + value + "\" names no address, range or host.cay.internal")
            .WithRemedy("as in \"10.1.2.0/24:5432\": what a name resolves to is not trusted"));
  }
  config.manager.network.bounds.private_allowed = values;
  return {};
}

Result<void> SetNetworkDeny(Config& config, const Values& values) {
  TRY(CheckCount(values, network::Spec::kMaxRules));
  for (const std::string& value : values) TRY(network::Rule::Parse(value));
  config.manager.network.bounds.deny = values;
  return {};
}

Result<void> SetPublishAddresses(Config& config, const Values& values) {
  constexpr size_t kMostAddresses = 64;
  TRY(CheckCount(values, kMostAddresses));
  std::vector<std::string> addresses;
  for (const std::string& value : values)
    addresses.push_back(TRY(network::Address::Parse(value)).Unmapped().Text());
  config.manager.network.publish_addresses = std::move(addresses);
  return {};
}

Result<void> SetExtraCa(Config& config, const Values& values) {
  TRY(CheckCount(values, network::AuthorityRequest::kMaxFiles - 1));  // beside the machine's
  for (const std::string& value : values) {
    if (!value.starts_with('/')) {
      return Failure(Error::Invalid("\"" + value + "\" is not an absolute path")
                         .WithRemedy("as in \"/etc/cay/corp-ca.pem\""));
    }
  }
  config.manager.network.extra_ca = values;
  return {};
}

Result<void> SetResolvers(Config& config, const Values& values) {
  TRY(CheckCount(values, network::HelloRequest::kMaxResolvers));
  for (const std::string& value : values) {
    const auto rule = network::Rule::Parse(value);
    const network::Prefix* const to = rule ? rule->prefix() : nullptr;
    const bool one_port =
        rule && rule->ports.size() == 1 && rule->ports.front().first == rule->ports.front().last;
    if (to != nullptr && to->length == to->address.bits() && one_port && !value.contains('/'))
      continue;
    return Failure(Error::Invalid("\"" + value + "\" is not ADDRESS:PORT")
                       .WithRemedy("as in \"192.0.2.53:53\" or \"[2001:db8::53]:53\""));
  }
  config.manager.network.resolvers = values;
  return {};
}

Result<void> SetCache(Config& config, const Values& values) {
  const Bytes bytes = TRY(ParseBytes(values[0]));
  if (bytes != 0 && bytes < network::CacheBounds::kMinBytes) {
    return Failure(Error::Invalid("a package cache of less than " +
                                  FormatBytes(network::CacheBounds::kMinBytes))
                       .WithRemedy("use 0 for none"));
  }
  config.manager.network.cache = bytes;
  return {};
}

Result<void> SetProxy(Config& config, const Values& values) {
  if (!values[0].empty()) TRY(network::Proxy::Parse(values[0]));
  config.manager.network.proxy = values[0];
  return {};
}
Values ShowProxy(const Config& config) {
  if (config.manager.network.proxy.empty()) return {""};
  const auto proxy = network::Proxy::Parse(config.manager.network.proxy);
  return {proxy ? proxy->Masked() : std::string(network::Proxy::kHidden)};
}

Result<void> CheckProxyFlag(const Values& values) {
  for (const std::string& value : values) {
    const auto proxy = network::Proxy::Parse(value);
    if (!proxy || proxy->password.empty()) continue;
    return Failure(Error::Invalid("everybody on this machine sees a password in a command line")
                       .WithRemedy("put the URL into the file, or into CAY_NETWORK_PROXY"));
  }
  return {};
}

Result<void> SetNoProxy(Config& config, const Values& values) {
  TRY(CheckCount(values, network::ProxyPlan::kMaxDirect));
  for (const std::string& value : values) TRY(network::Rule::Parse(value, network::Effect::kDeny));
  config.manager.network.no_proxy = values;
  return {};
}

Result<void> SetUnixMode(Config& config, const Values& values) {
  const std::string& text = values[0];
  const bool octal = !text.empty() && text.size() <= 4 &&
                     std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '7'; });
  if (!octal || std::stoul(text, nullptr, 8) > 0777) {
    return Failure(Error::Invalid("\"" + text + "\" is not a mode").WithRemedy("as in \"0660\""));
  }
  config.http.unix_mode = static_cast<uint16_t>(std::stoul(text, nullptr, 8));
  return {};
}
Values ShowUnixMode(const Config& config) {
  std::string text = "0000";
  for (size_t i = 0; i < 3; ++i) {
    text[3 - i] = static_cast<char>('0' + ((config.http.unix_mode >> (3 * i)) & 7));
  }
  return {text};
}

}  // namespace cay::config
