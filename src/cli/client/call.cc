#include "cli/client/call.h"

#include "cli/client/values.h"

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

Result<void> Answers::Add(std::string_view line, boost::json::object answer) {
  if (!how_.json) return how_.quiet ? Result<void>() : Print(std::string(line) + "\n");
  if (!is_array_) return Print(PrettyJson(answer));
  array_.push_back(std::move(answer));
  return {};
}

Result<int> Answers::Finish(Result<int> code) {
  if (how_.json && is_array_) TRY(Print(PrettyJson(array_)));
  return code;
}

}  // namespace cay::cli
