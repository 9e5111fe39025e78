#include "base/ipc/unix_socket.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>

#include "base/os/sys.h"

namespace cay {
namespace {

sockaddr_un AddressIn(const Fd& directory, const char* name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory.get(),
                name);
  return address;
}

}  // namespace

Result<Fd> OpenUnixSocket(int type) {
  const int raw = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("opening a socket"));
  return Fd::Adopt(raw);
}

Result<void> BindIn(const Fd& directory, const char* name, const Fd& socket,
                    const std::string& whose) {
  if (const int injected = sys::TakeFault(sys::Call::kBind); injected != 0)
    return Failure(Error::FromErrno("binding " + whose, injected));
  const sockaddr_un address = AddressIn(directory, name);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return Failure(Error::FromErrno("binding " + whose));
  if (::fchmodat(directory.get(), name, 0600, 0) < 0)
    return Failure(Error::FromErrno("closing " + whose + " to others"));
  return {};
}

Result<void> ConnectIn(const Fd& directory, const char* name, const Fd& socket) {
  const sockaddr_un address = AddressIn(directory, name);
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    if (errno != EINTR) return Failure(Error::FromErrno("connecting to a socket"));
  }
  return {};
}

Result<void> SetSendTimeout(const Fd& socket, const timeval& timeout) {
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0) return {};
  return Failure(Error::FromErrno("setting a time limit"));
}

Result<ucred> PeerOf(const Fd& socket, std::string_view asking) {
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0) return peer;
  return Failure(Error::FromErrno(std::string(asking)));
}

}  // namespace cay
