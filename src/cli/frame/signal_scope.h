// SignalScope: while it lives, the signals that a session passes on to its command come out of a
// descriptor instead of doing what they usually do.
//
//   const SignalScope scope(terminal);
//   CallersSignals signals = TRY(scope.Open());
//   … poll({signals.fd(), POLLIN}) …
//   while (std::optional<CallersSignal> signal = signals.Next(mode)) …   // what it asks for
//
// Blocked for the calling thread and for those it starts meanwhile.
#pragma once

#include <csignal>
#include <cstdint>
#include <optional>

#include "base/os/fd.h"
#include "base/result.h"
#include "cli/frame/terminal_mode.h"

namespace cay::cli {

// What a caller's signal asks of the session.
struct CallersSignal {
  enum class Kind : uint8_t {
    kPass,    // to pass it on to the command
    kEnd,     // the same; it is the first whose sender wants the command to end
    kEndNow,  // another of those: the session ends, whether or not the command does
    kResize,  // the caller's terminal has the size `window`
  };
  Kind kind;
  int signal;
  WindowSize window{};
};

class CallersSignals {
 public:
  int fd() const { return fd_.get(); }

  // The next that came; nothing when there is none. TSTP and CONT are seen to here: they put the
  // caller's terminal down and up again, by its `mode` where it is raw (null: it is not).
  std::optional<CallersSignal> Next(TerminalMode* mode);

 private:
  friend class SignalScope;
  CallersSignals(Fd fd, bool terminal) : fd_(std::move(fd)), terminal_(terminal) {}
  std::optional<CallersSignal> Meaning(int signal, TerminalMode* mode);
  bool AsksToEnd(int signal) const;

  Fd fd_;  // a signalfd that does not block
  bool terminal_;
  bool asked_to_end_ = false;
};

class SignalScope {
 public:
  // INT, TERM, HUP, QUIT, USR1 and USR2; with a terminal also WINCH, TSTP and CONT.
  explicit SignalScope(bool terminal);
  ~SignalScope() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;

  Result<CallersSignals> Open() const;

 private:
  bool terminal_;
  sigset_t set_{};
  sigset_t before_{};
};

}  // namespace cay::cli
