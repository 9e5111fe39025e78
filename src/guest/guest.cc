#include "guest/guest.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "base/loop/event_loop.h"
#include "base/os/fd.h"
#include "base/os/log.h"
#include "base/os/sys.h"
#include "guest/confinement/confine.h"
#include "guest/files/temporaries.h"
#include "guest/operations/server.h"
#include "guest/processes/process_table.h"
#include "guest/sudo/command_requests.h"

namespace cay::guest {
namespace {

Result<void> Serve(bool single_user, Privileges privileges) {
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
  const auto processes = TRY(ProcessTable::Create(loop, proc, single_user, privileges));
  Temporaries temporaries;
  Guest guest{.loop = loop,
              .processes = *processes,
              .proc = proc,
              .temporaries = temporaries,
              .single_user = single_user,
              .privileges = privileges};
  CommandRequests requests(
      {.loop = loop, .processes = *processes, .proc = proc, .privileges = privileges});
  requests.Begin();
  Server server(guest, std::move(listener));
  TRY(server.Begin());
  return loop.Run();
}

}  // namespace

void Run(bool single_user, Privileges privileges) {
  const Result<void> served = Serve(single_user, privileges);
  if (!served) LogError(served.error().ToString());
  // Nothing of a process that was forked is to be torn down by its copy.
  ::_exit(served ? 0 : 1);
}

}  // namespace cay::guest
