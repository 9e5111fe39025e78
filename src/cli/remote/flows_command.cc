// cay flows: what became of the connections of a sandbox, until now or from now on.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <array>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/session/follow.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct FlowsOptions : ServerOptions {
  std::string after;
  bool follow = false;
  bool denied = false;
};

using Row = std::vector<std::string>;

const Row kHeading = {"TIME", "DIRECTION", "TO", "VERDICT", "TIMES",
                      "SENT", "RECEIVED",  "MS", "RULE",    "REASON"};

// A name where there is one: what the program said. Of an inbound one the port, and who came.
std::string WhereTo(const json::object& flow) {
  if (TextOf(flow, "direction") == "inbound")
    return ":" + Cell(flow, "port") + " from " + Cell(flow, "address");
  const std::string name = TextOf(flow, "name");
  const std::string address = TextOf(flow, "address");
  std::string where = OneLine(name.empty() ? address : name);
  const bool is_v6 = name.empty() && address.contains(':');
  if (is_v6) where = "[" + where + "]";
  const auto port = NumberOf(flow, "port");
  return port.value_or(0) == 0 ? where : where + ":" + Cell(flow, "port");
}

Row RowOf(const json::object& flow) {
  return {Cell(flow, "time"),          Cell(flow, "direction"),   WhereTo(flow),
          Cell(flow, "verdict"),       Cell(flow, "times"),       BytesCell(flow, "sent"),
          BytesCell(flow, "received"), Cell(flow, "duration_ms"), Cell(flow, "rule"),
          Cell(flow, "reason")};
}

// What comes later is not known: each column has room for what is usual.
std::string RenderRow(const Row& row) {
  constexpr std::array<size_t, 9> kWidths = {24, 9, 28, 7, 5, 10, 10, 6, 20};
  std::string line;
  for (size_t i = 0; i < row.size(); ++i) {
    line += row[i];
    if (i + 1 == row.size()) break;
    const size_t used = row[i].size();
    line.append((used < kWidths.at(i) ? kWidths.at(i) - used : 0) + 2, ' ');
  }
  return line + "\n";
}

bool IsWanted(const FlowsOptions& options, const json::object& flow) {
  return !options.denied || TextOf(flow, "verdict") != "allowed";
}

// Each as it comes.
Result<void> Follow(ApiClient& api, const FlowsOptions& options, const std::string& path) {
  if (!options.json) TRY(Print(RenderRow(kHeading)));
  const auto take = [&](const ServerEvent& event, const json::object& data) -> Result<void> {
    if (event.type == "gap")
      Note("flows " + Cell(data, "from") + " to " + Cell(data, "to") + " were dropped");
    if (event.type != "flow" || !IsWanted(options, data)) return {};
    return Print(options.json ? LineJson(data) : RenderRow(RowOf(data)));
  };
  return FollowEvents(api, path, options.after, take);
}

// All that the server remembers, which is bounded.
Result<void> List(ApiClient& api, const FlowsOptions& options, const std::string& path) {
  std::vector<Row> rows = {kHeading};
  std::string after = options.after;
  while (true) {
    const json::object answer =
        TRY(api.Get(Target(path).Add("limit", "512").AddUnlessEmpty("after", after).text()));
    const json::array& page = ArrayOf(answer, "flows");
    for (const json::value& entry : page) {
      if (!entry.is_object() || !IsWanted(options, entry.get_object())) continue;
      if (options.json) {
        TRY(Print(LineJson(entry)));
      } else {
        rows.push_back(RowOf(entry.get_object()));
      }
    }
    const std::string next = Cell(answer, "next");
    if (page.empty() || next == after) break;
    after = next;
  }
  return options.json ? Result<void>() : Print(FormatTable(rows));
}

Result<int> FlowsMain(ApiClient& api, FlowsOptions& options, Positionals& rest) {
  const std::string path = SandboxPath(TRY(api.ResolveSandbox(rest.values.front())), "/flows");
  if (!options.follow) {
    TRY(List(api, options, path));
    return 0;
  }
  TRY(Follow(api, options, path + "/events"));
  return 0;
}

constexpr OptionSpec kOptions[] = {
    {.name = "follow",
     .short_name = 'f',
     .help = "Go on with what comes from now on, or after --after",
     .apply = kFlag<FlowsOptions, &FlowsOptions::follow>},
    {.name = "denied",
     .help = "Only what was denied or failed",
     .apply = kFlag<FlowsOptions, &FlowsOptions::denied>},
    {.name = "after",
     .value = "NUMBER",
     .help = "Only flows after the one with this number (0: all that are kept)",
     .example = "1795980000123",
     .apply = kText<FlowsOptions, &FlowsOptions::after>},
    {.name = "json",
     .help = "Print one JSON object a line",
     .apply = kFlag<FlowsOptions, &FlowsOptions::json>},
    kUrlOption<FlowsOptions>,
    kApiKeyFileOption<FlowsOptions>,
    kContextOption<FlowsOptions>,
};

}  // namespace

constinit const Command kFlowsCommand = {
    .name = "flows",
    .summary = "Print what a sandbox wanted of the network, and what came of it",
    .usage = "[OPTIONS] SANDBOX",
    .description = "A connection is told when it has ended, a name that was denied at once.\n",
    .options = kOptions,
    .examples =
        "cay flows web\n"
        "cay flows --json web\n"
        "cay flows --follow web\n"
        "cay flows -f --denied --after 0 --json web\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<FlowsOptions, FlowsMain>,
};

}  // namespace cay::cli
