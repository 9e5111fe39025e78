// The options of what can be changed later, for `cay create` and `cay update`: fields of the
// `request` of a struct of options, as they were typed.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/client/json_fields.h"
#include "cli/network/network_options.h"

namespace cay::cli {

template <class Options>
constexpr OptionSpec kMemoryOption = {
    .name = "memory",
    .short_name = 'm',
    .value = "SIZE",
    .help = "Memory of everything inside together",
    .example = "512m",
    .apply = &Into<Options, PutParsed<Options, "memory_limit", &ParseBytes>>};

template <class Options>
constexpr OptionSpec kCpusOption = {
    .name = "cpus",
    .value = "N",
    .help = "Processors, also in parts",
    .example = "0.5",
    .apply = &Into<Options, PutParsed<Options, "cpu_limit", &ParseCpus>>};

template <class Options>
constexpr OptionSpec kPidsOption = {.name = "pids",
                                    .value = "N",
                                    .help = "Processes and threads",
                                    .example = "256",
                                    .apply = &Into<Options, PutNumber<Options, "pids_limit">>};

template <class Options>
constexpr OptionSpec kTimeoutOption = {
    .name = "timeout",
    .value = "TIME",
    .help = "Its life, from now on",
    .example = "1h",
    .apply = &Into<Options, PutParsed<Options, "timeout", &ParseDuration>>};

template <class Options>
constexpr OptionSpec kIdleTimeoutOption = {
    .name = "idle-timeout",
    .value = "TIME",
    .help = "End it after so long without a process, a stream or a call",
    .example = "30m",
    .apply = &Into<Options, PutParsed<Options, "idle_timeout", &ParseDuration>>};

inline constexpr std::string_view kTimeoutActions = "destroy stop pause";

template <class Options>
Result<void> PutTimeoutAction(Options& options, std::string_view value) {
  TRY(CheckWord(value, kTimeoutActions));
  options.request["on_timeout"] = value;
  return {};
}

template <class Options>
constexpr OptionSpec kOnTimeoutOption = {
    .name = "on-timeout",
    .value = "WHAT",
    .help = "What happens when its time is over: destroy, stop or pause",
    .example = "stop",
    .completes = Completes::kWords,
    .words = kTimeoutActions,
    .apply = &Into<Options, PutTimeoutAction<Options>>};

// What a server's sandbox can have beside what `cay run` has.
struct AskedNetwork : network::Spec {
  std::vector<std::string> join{};
  std::vector<std::string> aliases{};
  std::vector<std::string> publish{};
  std::vector<std::string> secrets{};
};

// The network that was asked for, in an `options.network` that is an optional. The server has the
// last word on its rules.
template <class Options, auto kAdd>
Result<void> PutNetwork(Options& options, std::string_view value) {
  if (!options.network) options.network.emplace();
  return kAdd(*options.network, value);
}

template <class Options, auto kList>
Result<void> PutInNetwork(Options& options, std::string_view value) {
  if (!options.network) options.network.emplace();
  ((*options.network).*kList).emplace_back(value);
  return {};
}

inline boost::json::object NetworkObject(const AskedNetwork& spec) {
  const auto list = [](const std::vector<std::string>& texts) {
    return boost::json::array(texts.begin(), texts.end());
  };
  return {{"mode", network::ModeName(spec.mode)},
          {"allow", list(spec.allow)},
          {"deny", list(spec.deny)},
          {"presets", list(spec.presets)},
          {"dns", network::DnsModeName(spec.dns)},
          {"join", list(spec.join)},
          {"aliases", list(spec.aliases)},
          {"publish", list(spec.publish)},
          {"secrets", list(spec.secrets)}};
}

struct NamedNetwork {
  network::Spec network;
};

template <class Options, auto kAdd>
constexpr OptionSpec OfNetwork(OptionSpec option) {
  option.apply = &Into<Options, PutNetwork<Options, kAdd>>;
  return option;
}
template <class Options>
constexpr OptionSpec kServerNetOption = OfNetwork<Options, &AddNet>(kNetOption<NamedNetwork>);
template <class Options>
constexpr OptionSpec kServerAllowOption = OfNetwork<Options, &AddAllow>(kAllowOption<NamedNetwork>);
template <class Options>
constexpr OptionSpec kServerDenyOption = OfNetwork<Options, &AddDeny>(kDenyOption<NamedNetwork>);
template <class Options>
constexpr OptionSpec kServerDnsOption = OfNetwork<Options, &SetDns>(kDnsOption<NamedNetwork>);

template <class Options>
constexpr OptionSpec kJoinOption = {
    .name = "join",
    .value = "NETWORK",
    .help = "It and your other sandboxes of this network reach each other by name; repeatable",
    .example = "app",
    .apply = &Into<Options, PutInNetwork<Options, &AskedNetwork::join>>};

template <class Options>
constexpr OptionSpec kAliasOption = {
    .name = "alias",
    .value = "NAME",
    .help = "Another name for it in the networks it joins; repeatable",
    .example = "postgres",
    .apply = &Into<Options, PutInNetwork<Options, &AskedNetwork::aliases>>};

template <class Options>
constexpr OptionSpec kPublishOption = {
    .name = "publish",
    .short_name = 'p',
    .value = "[ADDR:]HOST_PORT:PORT",
    .help = "A port of the server's machine (0: a free one) leads to this port of it; repeatable",
    .example = "8080:80",
    .apply = &Into<Options, PutInNetwork<Options, &AskedNetwork::publish>>};

// The value of one that is not kept would stay nowhere: the sandbox outlives this command.
template <class Options>
Result<void> PutSecret(Options& options, std::string_view value) {
  const std::string name(value.substr(0, value.find('=')));
  if (name.size() != value.size()) {
    return Failure(
        Error::Invalid("a server's sandboxes have secrets that are kept, by their names")
            .WithRemedy("cay secrets set " + name + " --host HOST, and then --secret " + name));
  }
  return PutInNetwork<Options, &AskedNetwork::secrets>(options, value);
}

template <class Options>
constexpr OptionSpec kSecretOption = {
    .name = "secret",
    .value = "NAME",
    .help = "A kept secret (cay secrets) that it uses and never holds; repeatable",
    .example = "my-api",
    .apply = &Into<Options, PutSecret<Options>>};

}  // namespace cay::cli
