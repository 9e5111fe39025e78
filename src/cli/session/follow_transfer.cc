#include "cli/session/follow_transfer.h"

#include <optional>
#include <utility>

#include "cli/client/target.h"
#include "cli/client/values.h"
#include "cli/session/event_source.h"
#include "cli/session/process_output.h"

namespace cay::cli {
namespace {

namespace json = boost::json;

Result<json::object> EndOf(json::object transfer, const TransferKind& kind) {
  const std::string state = TextOf(transfer, "state");
  if (state == "done") return transfer;
  if (state == "failed")
    return Failure(Error(ErrorCodeFromName(TextOf(transfer, "error_code")), Fault::kCaller,
                         TextOf(transfer, "error")));
  return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                       "the " + std::string(kind.name) + " is " + state)
                     .WithRemedy(kind.again));
}

}  // namespace

Result<json::object> FollowTransfer(ApiClient& api, const TransferKind& kind, const std::string& id,
                                    const std::function<void(const json::object&)>& show) {
  const std::string path = std::string(kind.path) + "/" + EncodeComponent(id) + "/events";
  EventSource source([&](const std::string& last_id) { return api.OpenEvents(path, last_id); });
  while (true) {
    const std::optional<ServerEvent> event = TRY(source.Next());
    if (!event) {
      source.Wait();
      continue;
    }
    json::object transfer = TRY(EventData(*event));
    if (event->type == "error") return Failure(ProblemError(transfer, event->data));
    if (TextOf(transfer, "state").empty()) continue;  // the server ends; the next one knows of it
    show(transfer);
    if (event->type == "end") return EndOf(std::move(transfer), kind);
  }
}

}  // namespace cay::cli
