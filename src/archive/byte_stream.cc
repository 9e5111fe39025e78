#include "archive/byte_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/os/file.h"

namespace cay::archive {

Result<size_t> FdSource::Read(std::span<char> into) {
  while (true) {
    const ssize_t got = ::read(fd_, into.data(), into.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return Failure(Error::FromErrno("reading the archive"));
  }
}

Result<void> FdSink::Write(std::string_view bytes) { return WriteAll(fd_, bytes); }

Result<void> SocketSink::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return Failure(Error::FromErrno(doing_));
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

Result<size_t> StringSource::Read(std::span<char> into) {
  const size_t count = std::min(into.size(), rest_.size());
  if (count > 0) std::memcpy(into.data(), rest_.data(), count);
  rest_.remove_prefix(count);
  return count;
}

}  // namespace cay::archive
