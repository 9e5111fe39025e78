// RunSession: one command in a sandbox that is there, joined to the caller: standard input in, both
// outputs out as they come, signals on, a terminal kept the right size, a limit in time.
//
//   RunSession session(guest, options);
//   SessionEnd end = TRY(session.Run(request));     // returns when the command is over for us
//   … collect files and figures; the caller destroys the sandbox …
//
// Signals while it runs: INT, TERM, HUP, QUIT, USR1, USR2 go to the command's process group. The
// second of those that ask to end (INT, TERM, QUIT; HUP with a terminal), or kGrace after the
// first, ends it from outside. WINCH resizes, TSTP and CONT put the caller's terminal down and up
// again. Outside of Run they have their usual effect: the launcher destroys what a dead caller
// leaves.
//
// The caller ignores SIGPIPE. One poll loop in one thread. Output is read only as fast as it can be
// written.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "cli/frame/output_writer.h"
#include "cli/frame/signal_scope.h"
#include "cli/frame/terminal_mode.h"
#include "cli/run/run_result.h"
#include "guest_link/guest_channel.h"

namespace cay::cli {

using Clock = std::chrono::steady_clock;

struct SessionOptions {
  bool pass_stdin = false;
  Millis timeout{0};          // 0: none
  Millis kill_grace{0};       // from SIGTERM at the timeout to the end of the session
  HeldOutput* out = nullptr;  // where output is kept; null: it is passed on to the caller's streams
  HeldOutput* err = nullptr;
};

enum class EndKind : uint8_t {
  kExited,        // the command ended: `exited`; `timed_out` when it was asked to
  kTimedOut,      // it runs still, past its time and its grace
  kInterrupted,   // the caller's signals ask for an end: `signal`; it runs still
  kOutputClosed,  // nobody reads our output: as SIGPIPE; it runs still
  kGuestGone,     // the whole sandbox was ended under us
};

struct SessionEnd {
  EndKind kind = EndKind::kExited;
  protocol::Exited exited;
  bool timed_out = false;
  int signal = 0;
  uint64_t process = 0;  // the guest's id of it
  Clock::time_point started;
  std::optional<Clock::time_point> first_byte;
  Clock::time_point ended;
};

class RunSession {
 public:
  static constexpr Millis kGrace{10'000};
  static constexpr Millis kStartPatience{30'000};  // for the guest to start the command

  RunSession(const GuestChannel& guest, const SessionOptions& options);

  // Errors: the command cannot be started (kCommandNotFound, kNotExecutable …), the guest does not
  // answer (kTimeout), or it breaks the protocol.
  Result<SessionEnd> Run(const protocol::StartRequest& request);

  // Ends what of the command still runs, without ending the guest: before files are taken out.
  // Bounded by `patience`.
  Result<void> Kill(Millis patience);

 private:
  Result<void> Loop(ProcessStream& stream);
  Result<bool> TakeEvents(ProcessStream& stream);
  Result<void> OnOutput(const ProcessOutput& output);
  Result<void> OnGap(const protocol::Gap& gap);
  Result<void> OnInput(ProcessStream& stream);
  Result<void> EndInput(ProcessStream& stream);
  Result<void> OnSignals(ProcessStream& stream);
  Result<void> OnSignal(ProcessStream& stream, const CallersSignal& signal);
  bool OnDeadline();
  int WaitMillis() const;
  void Finish(EndKind kind);

  const GuestChannel& guest_;
  SessionOptions options_;
  OutputWriter out_;
  OutputWriter err_;
  std::optional<CallersSignals> signals_;
  std::optional<TerminalMode> mode_;
  std::optional<ProcessStream> stream_;
  std::optional<Clock::time_point> deadline_;
  std::optional<Clock::time_point> grace_;
  bool terminal_ = false;  // the command has one
  bool input_open_ = false;
  bool at_line_start_ = true;  // of what was sent to the terminal
  int asked_to_end_ = 0;       // the first signal that did, while `grace_` is set
  bool finished_ = false;
  SessionEnd end_;
};

}  // namespace cay::cli
