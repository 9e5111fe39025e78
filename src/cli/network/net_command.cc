// cay net: what a network policy would say, one that is typed or that of a server's sandbox.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/frame/console.h"
#include "cli/frame/option_tables.h"
#include "cli/network/cache_command.h"
#include "cli/network/network_options.h"
#include "cli/network/run_network.h"
#include "json/field_writer.h"
#include "json/json_writer.h"
#include "network/policy/preset.h"
#include "sandbox/network/network_fields.h"

namespace cay::cli {
namespace {

namespace json = boost::json;
using network::Checked;

struct CheckOptions : ServerOptions {
  network::Spec network;
  Ways ways;
  std::string sandbox;  // empty: by what the options say
};

struct Place {
  std::string host;
  uint16_t port = 443;
};

// HOST, HOST:PORT, or an IPv6 address in brackets before a port.
Result<Place> ParsePlace(std::string_view text) {
  const auto wrong = [&] {
    return Failure(Error::Invalid("\"" + std::string(text) + "\" is no host with a port")
                       .WithRemedy("as in example.com:443, 192.0.2.7:5432 or [2001:db8::7]:22"));
  };
  Place place;
  size_t colon = text.rfind(':');
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return wrong();
    place.host = text.substr(1, close - 1);
    colon = close + 1 < text.size() ? close + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && text[colon] != ':') return wrong();
  } else if (text.find(':') != colon) {  // an IPv6 address without a port
    place.host = text;
    colon = std::string_view::npos;
  } else {
    place.host = text.substr(0, colon);
  }
  if (colon != std::string_view::npos) {
    const auto port = ParseUnsigned(text.substr(colon + 1), UINT16_MAX);
    if (!port || *port == 0) return wrong();
    place.port = static_cast<uint16_t>(*port);
  }
  if (place.host.empty()) return wrong();
  return place;
}

std::string RenderText(const sandbox::NetworkCheck& check) {
  const Checked& checked = check.checked;
  std::string text = check.host + ", port " + std::to_string(check.port) + ": " +
                     (checked.allowed ? "allowed" : "denied") + ": " + checked.reason + "\n";
  for (const Checked::Target& target : checked.targets) {
    text += "  " + target.address +
            (target.allowed ? ": would be connected to\n" : ": " + target.reason + "\n");
  }
  if (!checked.proxy.empty()) text += "  " + checked.proxy + " would be asked to connect\n";
  return text;
}

// As a server says it.
sandbox::NetworkCheck CheckOf(const json::object& answer) {
  const auto is_allowed = [](const json::object& object) {
    const json::value* const flag = object.if_contains("allowed");
    return flag != nullptr && flag->is_bool() && flag->get_bool();
  };
  sandbox::NetworkCheck check{.host = OneLine(TextOf(answer, "host")),
                              .port = static_cast<uint16_t>(NumberOf(answer, "port").value_or(0)),
                              .checked = {.allowed = is_allowed(answer),
                                          .rule = OneLine(TextOf(answer, "rule")),
                                          .reason = OneLine(TextOf(answer, "reason")),
                                          .proxy = OneLine(TextOf(answer, "proxy"))}};
  for (const json::value& entry : ArrayOf(answer, "addresses")) {
    if (!entry.is_object()) continue;
    const json::object& target = entry.get_object();
    check.checked.targets.push_back({.address = OneLine(TextOf(target, "address")),
                                     .allowed = is_allowed(target),
                                     .reason = OneLine(TextOf(target, "reason"))});
  }
  return check;
}

Result<int> Tell(const CheckOptions& options, const sandbox::NetworkCheck& check) {
  const bool json = options.json;
  TRY(Print(json ? ObjectJson<sandbox::fields::NetworkCheck>(check).text() + "\n"
                 : RenderText(check)));
  return check.checked.allowed ? 0 : 1;
}

Result<int> CheckHere(CheckOptions& options, const Place& place) {
  const auto network = TRY(RunNetwork::Start(options.network, options.ways, {}));
  Checked checked = TRY(network->Check(place.host, place.port));
  return Tell(options, {.host = place.host, .port = place.port, .checked = std::move(checked)});
}

Result<int> CheckThere(ApiClient& api, CheckOptions& options, Positionals& rest) {
  const Place place = TRY(ParsePlace(rest.values.front()));
  const std::string path = SandboxPath(TRY(api.ResolveSandbox(options.sandbox)), "/network/check");
  return Tell(
      options,
      CheckOf(TRY(api.Get(
          Target(path).Add("host", place.host).Add("port", std::to_string(place.port)).text()))));
}

Result<int> CheckMain(CheckOptions& options, Positionals& rest) {
  const Place place = TRY(ParsePlace(rest.values.front()));
  if (options.sandbox.empty()) return CheckHere(options, place);
  const bool said = options.network != network::Spec() || !options.ways.resolvers.empty() ||
                    !options.ways.proxy.empty();
  if (said) {
    return Failure(
        Error::Invalid("a sandbox has its network already: --sandbox goes with none of "
                       "--net, --allow, --deny, --resolver and --proxy"));
  }
  auto code = CallServer<CheckOptions, CheckThere>(options, rest);
  return code ? code : ReportFailure(code.error(), true);
}

struct PresetsOptions {
  bool json = false;
};

Result<int> PresetsMain(PresetsOptions& options, Positionals& rest) {
  std::vector<const network::Preset*> presets;
  for (const std::string& name : rest.values) presets.push_back(TRY(network::FindPreset(name)));
  if (rest.values.empty()) {
    for (const network::Preset& preset : network::Presets()) presets.push_back(&preset);
  }
  JsonWriter json;
  json.BeginArray();
  std::string text;
  for (const network::Preset* preset : presets) {
    json.BeginObject().Member("name", preset->name).Member("text", preset->text);
    json.Key("rules").BeginArray();
    text += preset->name + ": " + preset->text + "\n";
    for (const network::Rule& rule : preset->rules) {
      json.Value(rule.text);
      text += "  " + rule.text + "\n";
    }
    json.EndArray().EndObject();
  }
  json.EndArray();
  TRY(Print(options.json ? json.text() + "\n" : text));
  return 0;
}

constexpr OptionSpec kCheckOptions[] = {
    kNetOption<CheckOptions>,
    kAllowOption<CheckOptions>,
    kDenyOption<CheckOptions>,
    kResolverOption<CheckOptions>,
    kProxyOption<CheckOptions>,
    {.name = "sandbox",
     .value = "SANDBOX",
     .help = "Ask by the network that this sandbox of a server has",
     .example = "web",
     .completes = Completes::kSandboxes,
     .apply = kText<CheckOptions, &CheckOptions::sandbox>},
    kJsonOption<CheckOptions>,
    kUrlOption<CheckOptions>,
    kApiKeyFileOption<CheckOptions>,
    kContextOption<CheckOptions>,
};

constexpr OptionSpec kPresetsOptions[] = {kJsonOption<PresetsOptions>};

constexpr Command kCheckCommand = {
    .name = "check",
    .summary = "Say whether a connection would be made, by which rule and to which address",
    .usage = "[OPTIONS] HOST[:PORT]",
    .description =
        "Resolves the name as a sandbox's connection would be resolved, and connects to\n"
        "nothing. Exit code 0 when it would be made, 1 when not. The port is 443 unless\n"
        "it is said.\n",
    .options = kCheckOptions,
    .examples =
        "cay net check --net pypi example.com\n"
        "cay net check --net open --deny '*.example.com' www.example.com:80\n"
        "cay net check --allow 10.1.2.0/24:5432 10.1.2.7:5432 --json\n"
        "cay net check --sandbox web example.com\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = &ParseAndRun<CheckOptions, CheckMain>,
};

constexpr Command kPresetsCommand = {
    .name = "presets",
    .summary = "Show the named lists of rules that --net takes",
    .usage = "[OPTIONS] [PRESET...]",
    .options = kPresetsOptions,
    .examples = "cay net presets\ncay net presets pypi npm\n",
    .max_arguments = SIZE_MAX,
    .run = &ParseAndRun<PresetsOptions, PresetsMain>,
};

constexpr const Command* kNetCommands[] = {&kCheckCommand, &kPresetsCommand, &kCacheCommand};

}  // namespace

constinit const Command kNetCommand = {
    .name = "net",
    .summary = "What a network policy says, the presets there are, and the package cache",
    .usage = "COMMAND [OPTIONS] [ARGUMENTS]",
    .examples = "cay net check --net pypi example.com\ncay net presets\ncay net cache df\n",
    .subcommands = kNetCommands,
};

}  // namespace cay::cli
