// FollowTransfer: a pull or a push of a server to its end, as its events tell it. The server goes
// on with it, whatever ends here.
#pragma once

#include <boost/json/object.hpp>
#include <functional>
#include <string>

#include "cli/client/call.h"

namespace cay::cli {

struct TransferKind {
  const char* path;   // of the API, of all of them
  const char* name;   // "pull"
  const char* again;  // what to do about one that ended without being done or failing
};
inline constexpr TransferKind kPullKind = {"/api/pulls", "pull",
                                           "pull it again: what was fetched is kept"};
inline constexpr TransferKind kPushKind = {
    "/api/pushes", "push", "push it again: what the registry has is not sent again"};

// `show` sees each state of it. The last one of a transfer that is done; an error of any other.
Result<boost::json::object> FollowTransfer(
    ApiClient& api, const TransferKind& kind, const std::string& id,
    const std::function<void(const boost::json::object&)>& show);

}  // namespace cay::cli
