// FollowEvents: a stream of the server's events to its end, which is that of its sandbox.
//
//   TRY(FollowEvents(api, "/api/events", options.after,
//                    [&](const ServerEvent& event, const json::object& data) { … }));
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <string>

#include "cli/client/api_client.h"
#include "cli/session/event_stream.h"

namespace cay::cli {

// Each event that is somebody's, with its data.
using TakeEvent =
    std::function<Result<void>(const ServerEvent& event, const boost::json::object& data)>;

// From now on, or after the event `after` (empty: none); over lost connections, as EventSource.
// Standard output that nobody reads ends the process from here on, as it ends `tail -f`.
Result<void> FollowEvents(ApiClient& api, const std::string& path, const std::string& after,
                          const TakeEvent& take);

}  // namespace cay::cli
