#include "guest/spawn/request_socket.h"

#include <sys/socket.h>

#include <cstddef>
#include <cstring>

namespace cay::guest {
namespace {

constexpr std::string_view kName = "cay-guest-requests";
constexpr int kBacklog = 16;

}  // namespace

RequestAddress AddressOfRequests() {
  RequestAddress made;
  made.address.sun_family = AF_UNIX;
  static_assert(kName.size() + 1 <= sizeof made.address.sun_path);
  // After a NUL: abstract.
  std::memcpy(made.address.sun_path + 1, kName.data(), kName.size());
  made.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + kName.size());
  return made;
}

Result<Fd> ListenForRequests() {
  const int raw = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return Failure(Error::FromErrno("a socket for requests from inside"));
  Fd socket = Fd::Adopt(raw);
  const RequestAddress at = AddressOfRequests();
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&at.address), at.length) < 0 ||
      ::listen(socket.get(), kBacklog) < 0) {
    return Failure(Error::FromErrno("listening for requests from inside"));
  }
  return socket;
}

}  // namespace cay::guest
