#include "base/os/fd.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>

namespace cay {

Result<Fd> Fd::Duplicate() const {
  const int copy = ::fcntl(raw_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return Failure(Error::FromErrno("duplicating a file descriptor"));
  return Fd(copy);
}

Result<Pipe> MakePipe(int extra_flags) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | extra_flags) < 0) {
    return Failure(Error::FromErrno("making a pipe"));
  }
  return Pipe{Fd::Adopt(ends[0]), Fd::Adopt(ends[1])};
}

Result<SocketPair> MakeSocketPair(int type) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) < 0) {
    return Failure(Error::FromErrno("making a socket pair"));
  }
  return SocketPair{Fd::Adopt(ends[0]), Fd::Adopt(ends[1])};
}

Result<void> SetNonBlocking(const Fd& fd, bool non_blocking) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0) return Failure(Error::FromErrno("reading file status flags"));
  const int wanted = non_blocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted != flags && ::fcntl(fd.get(), F_SETFL, wanted) < 0) {
    return Failure(Error::FromErrno("setting file status flags"));
  }
  return {};
}

}  // namespace cay
