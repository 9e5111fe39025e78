#include "cli/serve/serve_signals.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <csignal>

namespace cay::cli {

Result<ServeSignals> ServeSignals::Block() {
  // A client that goes away is an error of write, nothing to die of.
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  if (const int failed = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); failed != 0) {
    return Failure(Error::FromErrno("pthread_sigmask", failed));
  }
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC);
  if (fd < 0) return Failure(Error::FromErrno("signalfd"));
  return ServeSignals(Fd::Adopt(fd));
}

Result<int> ServeSignals::Wait(Millis patience, int also) {
  pollfd polled[] = {{.fd = fd_.get(), .events = POLLIN, .revents = 0},
                     {.fd = also, .events = POLLIN, .revents = 0}};
  const int ready = ::poll(polled, 2, static_cast<int>(patience.count()));
  if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
  if (ready <= 0 || polled[0].revents == 0) return 0;
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) {
    return Failure(Error::FromErrno("reading a signal"));
  }
  return static_cast<int>(info.ssi_signo);
}

}  // namespace cay::cli
