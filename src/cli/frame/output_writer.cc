#include "cli/frame/output_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

namespace cay::cli {

OutputWriter::OutputWriter(int fd) : fd_(fd), kind_(Kind::kPolled) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return;
  if (S_ISSOCK(info.st_mode)) {
    kind_ = Kind::kSocket;
  } else if (S_ISREG(info.st_mode)) {
    kind_ = Kind::kPlain;
  } else {
    kind_ = Kind::kNoWait;
  }
  if (!S_ISCHR(info.st_mode) || ::isatty(fd_) == 0) return;
  std::string path = "/proc/self/fd/" + std::to_string(fd_);
  int raw = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (raw < 0) return;  // of another user, or no /proc: then as for a pipe
  terminal_ = Fd::Adopt(raw);
  fd_ = raw;
  kind_ = Kind::kPlain;
}

Result<size_t> OutputWriter::WriteSome(std::string_view bytes) {
  ssize_t written = -1;
  if (kind_ == Kind::kSocket) {
    written = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } else if (kind_ == Kind::kPlain) {
    written = ::write(fd_, bytes.data(), bytes.size());
  } else if (kind_ == Kind::kNoWait) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    written = ::pwritev2(fd_, &part, 1, -1, RWF_NOWAIT);
    if (written < 0 && (errno == EOPNOTSUPP || errno == EINVAL || errno == ESPIPE)) {
      kind_ = Kind::kPolled;
    }
  }
  if (kind_ == Kind::kPolled) {
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) == 0) return 0U;
    written = ::write(fd_, bytes.data(), std::min<size_t>(bytes.size(), PIPE_BUF));
  }
  if (written >= 0) return static_cast<size_t>(written);
  if (errno == EAGAIN || errno == EINTR) return 0U;
  return Failure(Error::FromErrno("writing the command's output"));
}

Result<void> OutputWriter::Write(std::string_view bytes) {
  while (rest_.empty() && !bytes.empty()) {
    size_t written = TRY(WriteSome(bytes));
    bytes.remove_prefix(written);
    if (written == 0) break;
  }
  rest_.append(bytes);
  return {};
}

Result<void> OutputWriter::Flush() {
  while (!rest_.empty()) {
    size_t written = TRY(WriteSome(rest_));
    if (written == 0) return {};
    rest_.erase(0, written);
  }
  return {};
}

}  // namespace cay::cli
