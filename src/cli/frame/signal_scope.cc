#include "cli/frame/signal_scope.h"

#include <sys/signalfd.h>
#include <unistd.h>

namespace cay::cli {
namespace {

constexpr int kForwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
constexpr int kOwn[] = {SIGWINCH, SIGTSTP, SIGCONT};

}  // namespace

SignalScope::SignalScope(bool terminal) {
  sigemptyset(&set_);
  for (int signal : kForwarded) sigaddset(&set_, signal);
  if (terminal) {
    for (int signal : kOwn) sigaddset(&set_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
}

Result<Fd> SignalScope::Open() const {
  int fd = ::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return Failure(Error::FromErrno("signalfd"));
  return Fd::Adopt(fd);
}

std::optional<int> NextSignal(const Fd& signals) {
  signalfd_siginfo info{};
  const ssize_t got = ::read(signals.get(), &info, sizeof info);
  if (got != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

bool AsksToEnd(int signal, bool terminal) {
  return signal == SIGINT || signal == SIGTERM || signal == SIGQUIT ||
         (signal == SIGHUP && terminal);
}

}  // namespace cay::cli
