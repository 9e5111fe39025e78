// A build of a server, followed: what is told of it is shown as that of one on this machine, and a
// signal cancels it.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "build/stages/build.h"
#include "cli/client/api_client.h"
#include "cli/frame/signal_scope.h"
#include "cli/steps/build_printer.h"

namespace cay::cli {

struct FollowedBuild {
  boost::json::object build{};  // as the API has it, at its end; empty after a second signal
  std::optional<build::StepFailure> failure{};  // the step that did not succeed
  int signal = 0;                               // at which it was cancelled; 0: none
};

// Until its end, or the second signal.
Result<FollowedBuild> FollowBuild(ApiClient& api, const std::string& id, BuildPrinter& printer,
                                  CallersSignals& signals);

}  // namespace cay::cli
