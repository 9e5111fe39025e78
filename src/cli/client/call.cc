#include "cli/client/call.h"

namespace cay::cli {

Result<int> ForEach(std::span<const std::string> typed,
                    const std::function<Result<void>(const std::string& one)>& act) {
  int exit_code = 0;
  for (const std::string& one : typed) {
    Result<void> done = act(one);
    if (done) continue;
    // Without a server none of the others will go better.
    if (done.error().sys_errno() != 0) return Failure(std::move(done).error());
    Report(done.error().message().contains(one) ? done.error()
                                                : Error(done.error()).WithContext(one));
    exit_code = kExitApiError;
  }
  return exit_code;
}

Result<int> ForEachSandbox(ApiClient& api, const Positionals& rest,
                           const std::function<Result<void>(const std::string& id)>& act) {
  return ForEach(rest.values, [&](const std::string& typed) -> Result<void> {
    return act(TRY(api.ResolveSandbox(typed)));
  });
}

}  // namespace cay::cli
