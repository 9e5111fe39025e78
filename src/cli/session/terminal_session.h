// TerminalSession: a process that has a terminal, joined to the caller's, over a WebSocket: raw
// mode, the size and its changes, and ctrl-p ctrl-q to leave it running.
//
//   TerminalEnd end = TRY(RunTerminalSession(api, request));
//   if (end.detached) …
//
// A connection that is lost is opened again where it stopped, for at most EventSource::kPatience.
// The caller's terminal is put back however this ends. The caller ignores SIGPIPE. One thread.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "cli/client/api_client.h"
#include "cli/session/output_session.h"

namespace cay::cli {

struct TerminalEnd {
  bool detached = false;
  uint64_t position = 0;  // the sequence number to continue from
  int exit_code = 0;
};

Result<TerminalEnd> RunTerminalSession(ApiClient& api, const AttachRequest& request);

}  // namespace cay::cli
