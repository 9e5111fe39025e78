#include "cli/frame/terminal_mode.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace cay::cli {
namespace {

constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

// For the crash handler, which can reach nothing else.
volatile sig_atomic_t crash_fd = -1;
termios crash_termios;

void RestoreAndDie(int signal) {
  if (crash_fd >= 0) ::tcsetattr(crash_fd, TCSANOW, &crash_termios);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void SetCrashHandlers(void (*handler)(int)) {
  for (int signal : kCrashSignals) {
    struct sigaction action{};
    action.sa_handler = handler;
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

Result<void> CheckCallersInput(bool interactive, bool tty, bool none) {
  if (none && (interactive || tty)) {
    return Failure(Error::Invalid(std::string("-n and ") + (interactive ? "-i" : "-t") +
                                  " contradict each other")
                       .WithRemedy("leave one of them out"));
  }
  if (!interactive || !tty || ::isatty(STDIN_FILENO) == 1) return {};
  return Failure(Error::Invalid("-i and -t: standard input is not a terminal")
                     .WithRemedy("without -t it is passed on as it is"));
}

Result<TerminalMode> TerminalMode::EnterRaw(int fd) {
  termios before{};
  if (::tcgetattr(fd, &before) != 0)
    return Failure(Error::FromErrno("reading the terminal's mode"));
  termios raw = before;
  ::cfmakeraw(&raw);
  crash_termios = before;
  crash_fd = fd;
  SetCrashHandlers(&RestoreAndDie);
  if (::tcsetattr(fd, TCSADRAIN, &raw) != 0) {
    return Failure(Error::FromErrno("setting the terminal's mode"));
  }
  return TerminalMode(fd, before, raw);
}

TerminalMode::TerminalMode(TerminalMode&& other) noexcept
    : fd_(other.fd_),
      active_(std::exchange(other.active_, false)),
      before_(other.before_),
      raw_(other.raw_) {}

TerminalMode::~TerminalMode() {
  if (!active_) return;
  Restore();
  SetCrashHandlers(SIG_DFL);
  crash_fd = -1;
}

void TerminalMode::Restore() { ::tcsetattr(fd_, TCSADRAIN, &before_); }

void TerminalMode::Reenter() { ::tcsetattr(fd_, TCSADRAIN, &raw_); }

std::optional<WindowSize> GetWindowSize(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return std::nullopt;
  }
  return WindowSize{size.ws_row, size.ws_col};
}

std::optional<WindowSize> CallersWindow() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (std::optional<WindowSize> size = GetWindowSize(fd)) return size;
  }
  return std::nullopt;
}

}  // namespace cay::cli
