#include "cli/session/follow.h"

#include <csignal>
#include <optional>

#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"

namespace cay::cli {

Result<void> FollowEvents(ApiClient& api, const std::string& path, const std::string& after,
                          const TakeEvent& take) {
  ::signal(SIGPIPE, SIG_DFL);
  const std::string target = Target(path).AddUnlessEmpty("after", after).text();
  EventSource source([&](const std::string& last_id) {
    return api.OpenEvents(last_id.empty() ? target : path, last_id);
  });
  while (true) {
    const std::optional<ServerEvent> event = TRY(source.Next());
    if (!event) {
      source.Wait();
      continue;
    }
    const boost::json::object data = TRY(EventData(*event));
    if (event->type == "error") {
      return Failure(ProblemError(data, event->data));
    }
    // The stream's own, and no event of anybody's: it goes on where it stopped, unless the sandbox
    // is gone.
    if (event->type == "end" && TextOf(data, "reason") == "destroyed") return {};
    if (event->type == "end") continue;
    TRY(take(*event, data));
  }
}

}  // namespace cay::cli
