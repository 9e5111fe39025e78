// cay events: what happened, of one sandbox or of all.
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <csignal>

#include "cli/client/call.h"
#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"

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

Result<void> Follow(ApiClient& api, const EventsOptions& options, const std::string& path) {
  const std::string target = Target(path).AddUnlessEmpty("after", options.after).text();
  EventSource source([&](const std::string& last_id) {
    return api.OpenEvents(last_id.empty() ? target : path, last_id);
  });
  while (true) {
    const std::optional<ServerEvent> event = TRY(source.Next());
    if (!event) {
      source.Wait();
      continue;
    }
    const json::object data = TRY(EventData(*event));
    if (event->type == "error") {
      return Failure(
          ProblemError(static_cast<int>(NumberOf(data, "status").value_or(500)), event->data));
    }
    // The stream's own, and no event of anybody's: it goes on where it stopped, unless the sandbox
    // is gone.
    if (event->type == "end" && TextOf(data, "reason") == "destroyed") return {};
    if (event->type == "end") continue;
    TRY(PrintEvent(options, data));
  }
}

Result<int> EventsMain(ApiClient& api, EventsOptions& options, Positionals& rest) {
  const std::string path =
      rest.values.empty() ? "/api/events"
                          : SandboxPath(TRY(api.ResolveSandbox(rest.values.front())), "/events");
  if (options.follow) {
    // Standard output that nobody reads ends it, as it ends `tail -f`.
    ::signal(SIGPIPE, SIG_DFL);
    TRY(Follow(api, options, path));
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
