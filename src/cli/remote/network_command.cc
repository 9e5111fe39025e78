// cay network: what a sandbox may reach, and what it has used of it.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct NetworkOptions : ServerOptions {};

std::string RuleList(const json::array& rules) {
  std::string text;
  for (const json::value& rule : rules)
    if (rule.is_string()) text.append(text.empty() ? "" : " ").append(OneLine(rule.get_string()));
  return text.empty() ? "-" : text;
}

std::string PresetList(const json::array& presets) {
  std::string text;
  for (const json::value& preset : presets) {
    if (!preset.is_object()) continue;
    text.append(text.empty() ? "" : " ").append(Cell(preset.get_object(), "name"));
  }
  return text.empty() ? "-" : text;
}

// "127.0.0.1:8080:80", and why it is not there where it is not.
std::string PublishList(const json::array& ports) {
  std::string text;
  for (const json::value& entry : ports) {
    if (!entry.is_object()) continue;
    const json::object& port = entry.get_object();
    const std::string reason = TextOf(port, "reason");
    const std::string address = TextOf(port, "address");
    const bool is_v6 = address.contains(':');
    text.append(text.empty() ? "" : " ")
        .append(OneLine(is_v6 ? "[" + address + "]" : address))
        .append(":" + Cell(port, "host_port") + ":" + Cell(port, "port"))
        .append(reason.empty() ? "" : " (" + OneLine(reason) + ")");
  }
  return text.empty() ? "-" : text;
}

// "my-api (MY_API)", and where it is so that it was removed.
std::string SecretList(const json::array& secrets) {
  std::string text;
  for (const json::value& entry : secrets) {
    if (!entry.is_object()) continue;
    const json::object& secret = entry.get_object();
    text.append(text.empty() ? "" : " ")
        .append(Cell(secret, "name") + " (" + Cell(secret, "env"))
        .append(FlagOf(secret, "kept") ? ")" : ", removed)");
  }
  return text.empty() ? "-" : text;
}

std::string RenderNetwork(const json::object& network) {
  const json::object limits = ObjectOf(network, "limits");
  const json::object bounds = ObjectOf(network, "bounds");
  const json::object counts = ObjectOf(network, "counts");
  const std::string reason = TextOf(network, "reason");
  std::vector<std::vector<std::string>> rows = {
      {"mode", Cell(network, "mode") + " (at most " + Cell(bounds, "max_mode") + ")"},
      {"state", Cell(network, "state") + (reason.empty() ? "" : ": " + OneLine(reason))},
      {"presets", PresetList(ArrayOf(network, "presets"))},
      {"allow", RuleList(ArrayOf(network, "allow"))},
      {"deny", RuleList(ArrayOf(network, "deny"))},
      {"names",
       Cell(network, "dns") == "real" ? "answered by their own servers" : "stand for addresses"},
      {"networks", RuleList(ArrayOf(network, "join"))},
      {"aliases", RuleList(ArrayOf(network, "aliases"))},
      {"peers", PresetList(ArrayOf(network, "peers"))},
      {"published", PublishList(ArrayOf(network, "publish"))},
      {"secrets", SecretList(ArrayOf(network, "secrets"))},
      {"denied to all", RuleList(ArrayOf(bounds, "deny"))},
      {"private allowed", RuleList(ArrayOf(bounds, "private_allowed"))},
      {"connections", Cell(counts, "connections") + ", inbound " + Cell(counts, "inbound") +
                          ", open " + Cell(counts, "open") + " of " + Cell(limits, "connections")},
      {"denied", Cell(counts, "denied")},
      {"failed", Cell(counts, "failed")},
      {"sent", BytesCell(counts, "sent")},
      {"received", BytesCell(counts, "received")}};
  return FormatTable(rows);
}

Result<int> NetworkMain(ApiClient& api, NetworkOptions& options, Positionals& rest) {
  const std::string id = TRY(api.ResolveSandbox(rest.values.front()));
  const json::object network = TRY(api.Get(SandboxPath(id, "/network")));
  TRY(Print(options.json ? PrettyJson(network) : RenderNetwork(network)));
  return 0;
}

constexpr OptionSpec kNetworkOptions[] = {
    kJsonOption<NetworkOptions>,
    kUrlOption<NetworkOptions>,
    kApiKeyFileOption<NetworkOptions>,
    kContextOption<NetworkOptions>,
};

}  // namespace

constinit const Command kNetworkCommand = {
    .name = "network",
    .summary = "Say what a sandbox may reach, and what it has used of it",
    .usage = "[OPTIONS] SANDBOX",
    .options = kNetworkOptions,
    .examples = "cay network web\ncay network --json web\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<NetworkOptions, NetworkMain>,
};

}  // namespace cay::cli
