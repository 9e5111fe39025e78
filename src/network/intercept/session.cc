#include "network/intercept/session.h"

#include <sys/socket.h>

#include <cerrno>

namespace cay::network {

Result<std::optional<size_t>> Session::TryRead(std::span<char> space) {
  if (tls_) return tls_->TryRead(space);
  const ssize_t got = ::recv(socket_, space.data(), space.size(), MSG_DONTWAIT);
  if (got >= 0) return static_cast<size_t>(got);
  if (errno == EAGAIN || errno == EINTR) return std::nullopt;
  return Failure(Error::FromErrno("reading from a connection"));
}

Result<size_t> Session::TryWrite(std::string_view bytes) {
  if (tls_) return tls_->TryWrite(bytes);
  const ssize_t put = ::send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (put >= 0) return static_cast<size_t>(put);
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return Failure(Error::FromErrno("writing to a connection"));
}

}  // namespace cay::network
