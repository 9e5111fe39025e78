#include "engine/native/ipc/guest_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>

#include "base/os/sys.h"

namespace cay::engine::native {
namespace {

// By descriptor: the state directory's path may be longer than sun_path.
sockaddr_un AddressIn(const Fd& sandbox_dir, GuestSocketName name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", sandbox_dir.get(),
                FileName(name));
  return address;
}

Result<Fd> OpenSocket() {
  const int raw = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("opening a socket"));
  return Fd::Adopt(raw);
}

// connect(2) waits as long as a send may (unix(7)). 0: for ever.
Result<void> SetSendTimeout(const Fd& socket, const timeval& timeout) {
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0) return {};
  return Failure(Error::FromErrno("setting a time limit"));
}

}  // namespace

const char* FileName(GuestSocketName name) {
  return name == GuestSocketName::kPaused ? "guest.paused" : "guest.sock";
}

Result<Fd> BindGuestSocket(const Fd& sandbox_dir) {
  Fd socket = TRY(OpenSocket());
  const sockaddr_un address = AddressIn(sandbox_dir, GuestSocketName::kReachable);
  for (const auto name : {GuestSocketName::kReachable, GuestSocketName::kPaused}) {
    ::unlinkat(sandbox_dir.get(), FileName(name), 0);
  }
  if (const int injected = sys::TakeFault(sys::Call::kBind); injected != 0) {
    return Failure(Error::FromErrno("binding the guest's socket", injected));
  }
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return Failure(Error::FromErrno("binding the guest's socket"));
  }
  if (::fchmodat(sandbox_dir.get(), FileName(GuestSocketName::kReachable), 0600, 0) < 0) {
    return Failure(Error::FromErrno("closing the guest's socket to others"));
  }
  return socket;
}

Result<Fd> ConnectToGuest(const Fd& sandbox_dir, Millis patience, GuestSocketName name) {
  Fd socket = TRY(OpenSocket());
  const auto ms = patience.count();
  // Not 0, which would be for ever.
  TRY(SetSendTimeout(socket,
                     {.tv_sec = ms / 1000, .tv_usec = ms > 0 ? (ms % 1000) * 1000 : int64_t{1}}));
  const sockaddr_un address = AddressIn(sandbox_dir, name);
  int connected = -1;
  do {
    connected =
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (connected < 0 && errno == EINTR);
  if (connected < 0) {
    Error error(ErrorCode::kUnavailable, Fault::kMachine, "the sandbox's guest does not answer");
    error.set_sys_errno(errno);
    return Failure(std::move(error));
  }
  TRY(SetSendTimeout(socket, {}));
  return socket;
}

Result<void> RenameGuestSocket(const Fd& sandbox_dir, GuestSocketName to) {
  const auto from =
      to == GuestSocketName::kPaused ? GuestSocketName::kReachable : GuestSocketName::kPaused;
  if (::renameat(sandbox_dir.get(), FileName(from), sandbox_dir.get(), FileName(to)) < 0 &&
      errno != ENOENT) {
    return Failure(Error::FromErrno("renaming the guest's socket"));
  }
  return {};
}

Result<Fd> OpenGuest(const Fd& connection) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) {
    return Failure(Error::FromErrno("asking who the guest is"));
  }
  return sys::PidfdOpen(peer.pid);
}

}  // namespace cay::engine::native
