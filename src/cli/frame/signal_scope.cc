#include "cli/frame/signal_scope.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

namespace cay::cli {
namespace {

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
constexpr int kOwn[] = {SIGWINCH, SIGTSTP, SIGCONT};

}  // namespace

SignalScope::SignalScope(bool terminal) : terminal_(terminal) {
  sigemptyset(&set_);
  for (int signal : kForwarded) sigaddset(&set_, signal);
  if (terminal) {
    for (int signal : kOwn) sigaddset(&set_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
}

Result<CallersSignals> SignalScope::Open() const {
  const int fd = ::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return Failure(Error::FromErrno("signalfd"));
  return CallersSignals(Fd::Adopt(fd), terminal_);
}

std::optional<CallersSignal> CallersSignals::Next(TerminalMode* mode) {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
    if (auto meaning = Meaning(static_cast<int>(info.ssi_signo), mode)) return meaning;
  }
  return std::nullopt;
}

std::optional<CallersSignal> CallersSignals::Meaning(int signal, TerminalMode* mode) {
  using Kind = CallersSignal::Kind;
  switch (signal) {
    case SIGWINCH:
      if (const auto window = CallersWindow()) return CallersSignal{Kind::kResize, signal, *window};
      return std::nullopt;
    case SIGTSTP:
      if (mode != nullptr) mode->Restore();
      ::raise(SIGSTOP);
      return std::nullopt;
    case SIGCONT:
      if (mode != nullptr) mode->Reenter();
      return std::nullopt;
    default:
      break;
  }
  if (!AsksToEnd(signal)) return CallersSignal{Kind::kPass, signal};
  const bool again = std::exchange(asked_to_end_, true);
  return CallersSignal{again ? Kind::kEndNow : Kind::kEnd, signal};
}

// Nobody sits at a terminal that was hung up.
bool CallersSignals::AsksToEnd(int signal) const {
  return signal == SIGINT || signal == SIGTERM || signal == SIGQUIT ||
         (signal == SIGHUP && terminal_);
}

}  // namespace cay::cli
