#include "victim/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

namespace cay::attacks {

Verdict Through(std::string_view detail) {
  return detail.empty() ? "through" : "through " + std::string(detail);
}

Verdict Refused(int sys_errno) {
  const char* name = ::strerrorname_np(sys_errno);
  return std::string("refused ") + (name != nullptr ? name : "an unknown error");
}

Verdict OfCall(long result) { return result == -1 ? Refused() : Through(); }

Verdict InChild(const std::function<Verdict()>& body, unsigned seconds) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe: " + Refused();
  const pid_t child = ::fork();
  if (child < 0) return "no child: " + Refused();
  if (child == 0) {
    const Verdict verdict = body();
    const ssize_t written = ::write(ends[1], verdict.data(), verdict.size());
    ::_exit(written == static_cast<ssize_t>(verdict.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  pollfd wait = {.fd = ends[0], .events = POLLIN, .revents = 0};
  const bool ended = ::poll(&wait, 1, static_cast<int>(seconds * 1000)) == 1;
  char text[4096];
  const ssize_t got = ended ? ::read(ends[0], text, sizeof text) : 0;
  if (!ended) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  ::close(ends[0]);
  if (!ended) return "stuck";
  if (WIFSIGNALED(status)) return std::string("killed SIG") + ::sigabbrev_np(WTERMSIG(status));
  return {text, static_cast<size_t>(got > 0 ? got : 0)};
}

Verdict TryRead(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return Refused();
  char buffer[256];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  const int error = errno;
  ::close(fd);
  if (got < 0) return Refused(error);
  return got == 0 ? "empty" : Through();
}

Verdict TryWrite(const std::string& path, std::string_view value) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return Refused();
  const ssize_t written = ::write(fd, value.data(), value.size());
  const int error = errno;
  ::close(fd);
  return written < 0 ? Refused(error) : Through();
}

std::string ReadSome(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text(1 << 20, '\0');
  size_t size = 0;
  for (ssize_t got = 0; size < text.size(); size += static_cast<size_t>(got)) {
    got = ::read(fd, text.data() + size, text.size() - size);
    if (got <= 0) break;
  }
  ::close(fd);
  text.resize(size);
  return text;
}

void Announce(std::string_view line) {
  const std::string text = std::string(line) + "\n";
  if (::write(STDOUT_FILENO, text.data(), text.size()) < 0) ::_exit(1);
}

void WaitForEndOfInput() {
  char buffer[256];
  while (::read(STDIN_FILENO, buffer, sizeof buffer) > 0) {
  }
}

}  // namespace cay::attacks
