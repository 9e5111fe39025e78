// cay-guest: Cay's own process in a sandbox, its PID 1.
//
//   cay-guest [--single-user]
//
// Inherits one descriptor, 3: a listening AF_UNIX stream socket that the host connects to, one
// connection for one operation (protocol/frame.h). 0, 1 and 2 are /dev/null. Runs until it is
// killed; when it dies, the kernel ends every process of the sandbox.
//
// Way in: main → Server (server.h) → an Operation for each connection (operation.h) → Process.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <string_view>

#include "base/fd.h"
#include "base/log.h"
#include "base/sys.h"
#include "guest/confine.h"
#include "guest/event_loop.h"
#include "guest/process_table.h"
#include "guest/server.h"

namespace cay::guest {
namespace {

constexpr int kListenerFd = 3;

Result<void> Run(bool single_user) {
  // A heap for each thread would cost an idle sandbox more than it saves.
  ::mallopt(M_ARENA_MAX, 1);
  TRY(ConfineGuest(kListenerFd + 1));
  for (int fd = 0; fd <= kListenerFd; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) return Failure(Error::FromErrno("an inherited descriptor"));
  }
  ::fcntl(kListenerFd, F_SETFD, FD_CLOEXEC);
  Fd listener = Fd::Adopt(kListenerFd);
  const Fd proc = TRY(sys::OpenAt(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW));
  EventLoop loop = TRY(EventLoop::Create());
  const auto processes = TRY(ProcessTable::Create(loop, proc, single_user));
  Guest guest{.loop = loop, .processes = *processes, .proc = proc, .single_user = single_user};
  Server server(guest, std::move(listener));
  TRY(server.Begin());
  return loop.Run();
}

}  // namespace
}  // namespace cay::guest

int main(int argc, char** argv) {
  const bool single_user = argc == 2 && std::string_view(argv[1]) == "--single-user";
  if (argc > 2 || (argc == 2 && !single_user)) {
    cay::LogError("usage: cay-guest [--single-user]");
    return 2;
  }
  if (const cay::Result<void> done = cay::guest::Run(single_user); !done) {
    cay::LogError(done.error().ToString());
    return 1;
  }
  return 0;
}
