#include "cli/client/call.h"

namespace cay::cli {

Result<int> ForEachSandbox(ApiClient& api, const Positionals& rest,
                           const std::function<Result<void>(const std::string& id)>& act) {
  int exit_code = 0;
  for (const std::string& typed : rest.values) {
    Result<std::string> id = api.ResolveSandbox(typed);
    Result<void> done = id ? act(*id) : Failure(std::move(id).error());
    if (done) continue;
    // Without a server none of the others will go better.
    if (done.error().sys_errno() != 0) return Failure(std::move(done).error());
    Report(done.error().message().contains(typed) ? done.error()
                                                  : Error(done.error()).WithContext(typed));
    exit_code = kExitApiError;
  }
  return exit_code;
}

}  // namespace cay::cli
