// cay net: what a network policy would say, without a sandbox and without a server.
#include "cli/frame/console.h"
#include "cli/frame/network_options.h"
#include "cli/frame/option_tables.h"
#include "cli/run/run_network.h"
#include "json/json_writer.h"
#include "network/policy/preset.h"

namespace cay::cli {
namespace {

using network::Checked;

struct CheckOptions {
  network::Spec network;
  std::vector<std::string> resolvers;
  bool json = false;
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

std::string RenderText(const Place& place, const Checked& checked) {
  std::string text = place.host + ", port " + std::to_string(place.port) + ": " +
                     (checked.allowed ? "allowed" : "denied") + ": " + checked.reason + "\n";
  for (const Checked::Target& target : checked.targets) {
    text += "  " + target.address +
            (target.allowed ? ": would be connected to\n" : ": " + target.reason + "\n");
  }
  return text;
}

std::string RenderJson(const Place& place, const Checked& checked) {
  JsonWriter json;
  json.BeginObject().Member("host", place.host).Member("port", unsigned{place.port});
  json.Member("allowed", checked.allowed).Member("reason", checked.reason);
  json.Member("rule", checked.rule).Key("addresses").BeginArray();
  for (const Checked::Target& target : checked.targets) {
    json.BeginObject().Member("address", target.address).Member("allowed", target.allowed);
    json.Member("reason", target.reason).EndObject();
  }
  json.EndArray().EndObject();
  return json.text() + "\n";
}

Result<int> CheckMain(CheckOptions& options, Positionals& rest) {
  const Place place = TRY(ParsePlace(rest.values.front()));
  const auto network = TRY(RunNetwork::Start(options.network, options.resolvers));
  const Checked checked = TRY(network->Check(place.host, place.port));
  TRY(Print(options.json ? RenderJson(place, checked) : RenderText(place, checked)));
  return checked.allowed ? 0 : 1;
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

constexpr auto kAddResolver = [](CheckOptions& o, std::string_view value) -> Result<void> {
  o.resolvers.emplace_back(value);
  return {};
};

constexpr OptionSpec kCheckOptions[] = {
    kNetOption<CheckOptions>,
    kAllowOption<CheckOptions>,
    kDenyOption<CheckOptions>,
    {.name = "resolver",
     .value = "ADDR:PORT",
     .help = "Name server to ask (default: this machine's); repeatable",
     .example = "192.0.2.53:53",
     .apply = &Into<CheckOptions, kAddResolver>},
    kJsonOption<CheckOptions>,
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
        "cay net check --allow 10.1.2.0/24:5432 10.1.2.7:5432 --json\n",
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

constexpr const Command* kNetCommands[] = {&kCheckCommand, &kPresetsCommand};

}  // namespace

constinit const Command kNetCommand = {
    .name = "net",
    .summary = "What a network policy says, and the presets there are",
    .usage = "COMMAND [OPTIONS] [ARGUMENTS]",
    .examples = "cay net check --net pypi example.com\ncay net presets\n",
    .subcommands = kNetCommands,
};

}  // namespace cay::cli
