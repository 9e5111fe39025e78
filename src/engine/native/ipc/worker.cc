#include "engine/native/ipc/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/os/reap.h"

namespace cay::engine::native {
namespace {

constexpr int kSocketFd = 3;

[[noreturn]] void Run(const char* name, int socket, const std::function<void(const Fd&)>& serve) {
  if (::dup2(socket, kSocketFd) < 0) ::_exit(1);
  ::close_range(kSocketFd + 1, ~0U, 0);
  ::prctl(PR_SET_NAME, name, 0, 0, 0);
  // A ^C at the terminal is for the sandbox's caller; a worker ends when the launcher does.
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(ignored, SIG_IGN);
  const Fd owned = Fd::Adopt(kSocketFd);
  serve(owned);
  ::_exit(0);
}

}  // namespace

Result<Fd> StartWorker(const char* name, const std::function<void(const Fd& socket)>& serve) {
  SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
  const pid_t pid = ::fork();
  if (pid < 0) return Failure(Error::FromErrno(std::string("starting ") + name));
  if (pid == 0) Run(name, pair.second.get(), serve);
  ReapLater(pid);
  return std::move(pair.first);
}

}  // namespace cay::engine::native
