// SignalScope: while it lives, the signals that a session passes on to its command come out of a
// descriptor instead of doing what they usually do.
//
//   SignalScope scope(terminal);
//   Fd signals = TRY(scope.Open());
//   … poll; while (std::optional<int> signal = NextSignal(signals)) …
//
// Blocked for the calling thread and for those it starts meanwhile.
#pragma once

#include <csignal>
#include <optional>

#include "base/os/fd.h"
#include "base/result.h"

namespace cay::cli {

class SignalScope {
 public:
  // INT, TERM, HUP, QUIT, USR1 and USR2; with a terminal also WINCH, TSTP and CONT.
  explicit SignalScope(bool terminal);
  ~SignalScope() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

  // A signalfd that does not block.
  Result<Fd> Open() const;

 private:
  sigset_t set_{};
  sigset_t before_{};
};

// The next that came; nothing when there is none.
std::optional<int> NextSignal(const Fd& signals);

// Whether its sender wants the command to end. (Nobody sits at a terminal that was hung up.)
bool AsksToEnd(int signal, bool terminal);

}  // namespace cay::cli
