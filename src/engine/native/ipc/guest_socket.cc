#include "engine/native/ipc/guest_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/ipc/unix_socket.h"
#include "base/os/sys.h"

namespace cay::engine::native {

const char* FileName(GuestSocketName name) {
  return name == GuestSocketName::kPaused ? "guest.paused" : "guest.sock";
}

Result<Fd> BindGuestSocket(const Fd& sandbox_dir) {
  Fd socket = TRY(OpenUnixSocket(SOCK_STREAM));
  for (const auto name : {GuestSocketName::kReachable, GuestSocketName::kPaused}) {
    ::unlinkat(sandbox_dir.get(), FileName(name), 0);
  }
  TRY(BindIn(sandbox_dir, FileName(GuestSocketName::kReachable), socket, "the guest's socket"));
  return socket;
}

Result<Fd> ConnectToGuest(const Fd& sandbox_dir, Millis patience, GuestSocketName name) {
  Fd socket = TRY(OpenUnixSocket(SOCK_STREAM));
  const auto ms = patience.count();
  // Not 0, which would be for ever.
  TRY(SetSendTimeout(socket,
                     {.tv_sec = ms / 1000, .tv_usec = ms > 0 ? (ms % 1000) * 1000 : int64_t{1}}));
  if (const auto connected = ConnectIn(sandbox_dir, FileName(name), socket); !connected) {
    Error error(ErrorCode::kUnavailable, Fault::kMachine, "the sandbox's guest does not answer");
    error.set_sys_errno(connected.error().sys_errno());
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
  return sys::PidfdOpen(TRY(PeerOf(connection, "asking who the guest is")).pid);
}

}  // namespace cay::engine::native
