// OutputSession: a process of the server's joined to the caller, without a terminal: both outputs
// out as they come, standard input in, signals on. And the same for its output alone (cay logs).
//
//   AttachRequest request{.sandbox = id, .process = process, .from = 0, .input = true};
//   int exit_code = TRY(RunOutputSession(api, request));
//
// Signals as in cay run: INT, TERM, HUP, QUIT, USR1 and USR2 go to the process group; the second of
// those that ask to end kills it. When nobody reads our output any more, it is killed, as by
// SIGPIPE. A connection that is lost is opened again where it stopped (event_source.h). The caller
// ignores SIGPIPE. One thread, and one for input.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/client/api_client.h"

namespace cay::cli {

struct AttachRequest {
  std::string sandbox;
  std::string process;  // empty: the one that `execute` starts
  // The body of POST …/execute (JSON). Starting and following are one request, so that no output is
  // lost before it is read.
  std::string execute{};
  std::optional<uint64_t> from{};  // the sequence number; nothing: the oldest that is held
  bool replay = false;             // of a terminal: its earlier output may have been shown before
  bool input = false;              // pass standard input on
  bool control = true;             // signals go to the process; otherwise they end the caller
  bool follow = true;              // until the process ends; otherwise what there is
  bool quiet = false;              // no notes about its end
};

// The exit code: of the process; 0 when it was not followed to its end.
Result<int> RunOutputSession(ApiClient& api, const AttachRequest& request);

}  // namespace cay::cli
