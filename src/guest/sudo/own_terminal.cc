#include "guest/sudo/own_terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "guest/spawn/terminal.h"

namespace cay::guest::sudo {
namespace {

constexpr size_t kPartBytes = 16 * 1024;

bool IsTerminal(int fd) { return ::isatty(fd) == 1; }

// All of it, waiting for the other side; false when that is gone.
bool WriteWhole(int fd, const char* bytes, size_t count) {
  while (count > 0) {
    const ssize_t written = ::write(fd, bytes, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes += written;
    count -= static_cast<size_t>(written);
  }
  return true;
}

bool Move(int from, int to) {
  std::array<char, kPartBytes> part;
  const ssize_t got = ::read(from, part.data(), part.size());
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  return got > 0 && WriteWhole(to, part.data(), static_cast<size_t>(got));
}

}  // namespace

Result<std::optional<OwnTerminal>> OwnTerminal::Open() {
  const bool any =
      IsTerminal(STDIN_FILENO) || IsTerminal(STDOUT_FILENO) || IsTerminal(STDERR_FILENO);
  if (!any) return std::nullopt;
  const int raw = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (raw < 0) return std::nullopt;
  Fd caller = Fd::Adopt(raw);
  termios modes{};
  if (::tcgetattr(caller.get(), &modes) < 0) return std::nullopt;
  Terminal pair = TRY(OpenTerminalPair(0));
  ::tcsetattr(pair.slave.get(), TCSANOW, &modes);
  std::optional<OwnTerminal> made(
      OwnTerminal(std::move(caller), std::move(pair.master), std::move(pair.slave), modes));
  made->TakeSize();
  made->reads_ = IsTerminal(STDIN_FILENO);
  return made;
}

OwnTerminal::~OwnTerminal() {
  if (caller_) Restore();
}

int OwnTerminal::Replaced(int fd) const { return IsTerminal(fd) ? slave_->get() : fd; }

void OwnTerminal::Begin() {
  slave_.reset();
  TakeForeground();
}

bool OwnTerminal::FromCaller() { return Move(caller_->get(), master_->get()); }
bool OwnTerminal::FromCommand() { return Move(master_->get(), caller_->get()); }

void OwnTerminal::TakeSize() const {
  winsize size{};
  if (::ioctl(caller_->get(), TIOCGWINSZ, &size) == 0) ::ioctl(master_->get(), TIOCSWINSZ, &size);
}

void OwnTerminal::TakeForeground() {
  // What reads nothing of it needs no keys as they are; in a pipeline others write to it meanwhile.
  if (!reads_ || ::tcgetpgrp(caller_->get()) != ::getpgrp()) {
    raw_ = false;  // its modes are another's now
    return;
  }
  termios raw = modes_;
  ::cfmakeraw(&raw);
  raw_ = ::tcsetattr(caller_->get(), TCSADRAIN, &raw) == 0;
}

void OwnTerminal::ShowRest() {
  while (true) {
    pollfd poller{.fd = master_->get(), .events = POLLIN, .revents = 0};
    if (::poll(&poller, 1, 0) != 1 || (poller.revents & POLLIN) == 0 || !FromCommand()) return;
  }
}

void OwnTerminal::Restore() {
  if (raw_ && ::tcgetpgrp(caller_->get()) == ::getpgrp())
    ::tcsetattr(caller_->get(), TCSADRAIN, &modes_);
  raw_ = false;
}

}  // namespace cay::guest::sudo
