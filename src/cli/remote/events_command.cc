// cay events: what happened, of one sandbox or of all.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/session/follow.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

struct EventsOptions : ServerOptions {
  bool follow = false;
  std::string after;
};

// time  type  sandbox  reason, and what else the event says.
std::string RenderEvent(const json::object& event) {
  std::string line = Cell(event, "time") + "  " + Cell(event, "type");
  for (const auto& [key, value] : event) {
    if (key == "time" || key == "type" || key == "id" || value.is_null()) continue;
    line.append("  ").append(OneLine(key)).append("=").append(Cell(event, key));
  }
  return line + "\n";
}

Result<void> PrintEvent(const EventsOptions& options, const json::object& event) {
  return Print(options.json ? LineJson(event) : RenderEvent(event));
}

Result<int> EventsMain(ApiClient& api, EventsOptions& options, Positionals& rest) {
  const std::string path =
      rest.values.empty() ? "/api/events"
                          : SandboxPath(TRY(api.ResolveSandbox(rest.values.front())), "/events");
  if (options.follow) {
    TRY(FollowEvents(api, path, options.after, [&](const ServerEvent&, const json::object& data) {
      return PrintEvent(options, data);
    }));
    return 0;
  }
  std::string after = options.after;
  while (true) {
    const json::object answer =
        TRY(api.Get(Target(path).Add("wait", "false").AddUnlessEmpty("after", after).text()));
    const json::array& events = ArrayOf(answer, "events");
    for (const json::value& event : events) {
      if (event.is_object()) TRY(PrintEvent(options, event.get_object()));
    }
    const std::string last = Cell(answer, "last_id");
    if (events.empty() || last == after) return 0;
    after = last;
  }
}

constexpr OptionSpec kOptions[] = {
    {.name = "follow",
     .short_name = 'f',
     .help = "Go on with what happens from now on",
     .apply = kFlag<EventsOptions, &EventsOptions::follow>},
    {.name = "after",
     .value = "ID",
     .help = "Only events after the one with this number",
     .example = "120",
     .apply = kText<EventsOptions, &EventsOptions::after>},
    {.name = "json",
     .help = "Print one JSON object a line",
     .apply = kFlag<EventsOptions, &EventsOptions::json>},
    kUrlOption<EventsOptions>,
    kApiKeyFileOption<EventsOptions>,
    kContextOption<EventsOptions>,
};

}  // namespace

constinit const Command kEventsCommand = {
    .name = "events",
    .summary = "Print what happened to sandboxes, and why",
    .usage = "[OPTIONS] [SANDBOX]",
    .options = kOptions,
    .examples = "cay events\ncay events -f web\ncay events --json --after 120\n",
    .max_arguments = 1,
    .completes = Completes::kSandboxes,
    .run = &ParseAndCall<EventsOptions, EventsMain>,
};

}  // namespace cay::cli
