// TerminalMode: the caller's terminal in raw mode, put back on any exit.
//
//   TerminalMode mode = TRY(TerminalMode::EnterRaw(STDIN_FILENO));
//   … every key goes to the sandbox …
//   mode.Restore();                       // or the destructor
//
// Also put back when this program crashes: while an object lives, handlers for SIGSEGV, SIGBUS,
// SIGFPE, SIGILL and SIGABRT do it (tcsetattr is async-signal-safe, POSIX 2017, 2.4.3) and then let
// the signal have its way. One object at a time; one thread.
#pragma once

#include <termios.h>

#include <optional>

#include "base/result.h"

namespace cay::cli {

// Checks that -i, -t and -n do not contradict each other, and for -i and -t together that there is
// a terminal to pass on: without one a command would wait for keys that nobody can type.
Result<void> CheckCallersInput(bool interactive, bool tty, bool none);

class TerminalMode {
 public:
  // `fd` stays the caller's and open. kIo when it is not a terminal.
  static Result<TerminalMode> EnterRaw(int fd);

  TerminalMode(TerminalMode&& other) noexcept;
  TerminalMode& operator=(TerminalMode&&) = delete;
  TerminalMode(const TerminalMode&) = delete;
  ~TerminalMode();

  // Both may be called any number of times; failure means that the terminal is gone.
  void Restore();
  void Reenter();  // after a stop and continue

 private:
  TerminalMode(int fd, const termios& before, const termios& raw)
      : fd_(fd), before_(before), raw_(raw) {}
  int fd_;
  bool active_ = true;  // false once moved from
  termios before_;
  termios raw_;
};

struct WindowSize {
  uint16_t rows = 24;
  uint16_t columns = 80;
};

// Nothing when it is not a terminal or has no size (a serial line).
std::optional<WindowSize> GetWindowSize(int fd);

// The size of the terminal that the caller has on any of its standard streams.
std::optional<WindowSize> CallersWindow();

}  // namespace cay::cli
