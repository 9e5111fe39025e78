#include "guest/spawn/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/os/sys.h"

namespace cay::guest {

Result<Terminal> OpenTerminalPair(int flags) {
  Fd master = TRY(sys::OpenAt(AT_FDCWD, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | flags));
  int unlock = 0;
  TRY(sys::Ioctl(master, TIOCSPTLCK, &unlock, "unlocking a terminal"));
  Fd slave = Fd::Adopt(
      TRY(sys::IoctlInt(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC, "opening a terminal")));
  return Terminal{.master = std::move(master), .slave = std::move(slave)};
}

Result<Terminal> OpenTerminal(protocol::TerminalSize size, const Account& account,
                              bool change_owner) {
  Terminal terminal = TRY(OpenTerminalPair(O_NONBLOCK));
  TRY(ResizeTerminal(terminal.master, size));
  if (change_owner && ::fchown(terminal.slave.get(), account.uid, static_cast<gid_t>(-1)) < 0) {
    return Failure(Error::FromErrno("giving a terminal to its user"));
  }
  return terminal;
}

Result<void> ResizeTerminal(const Fd& master, protocol::TerminalSize size) {
  winsize window{.ws_row = size.rows, .ws_col = size.columns, .ws_xpixel = 0, .ws_ypixel = 0};
  TRY(sys::Ioctl(master, TIOCSWINSZ, &window, "resizing a terminal"));
  return {};
}

std::optional<uint64_t> SlaveDevice(const Fd& master) {
  constexpr unsigned kUnix98SlaveMajor = 136;  // Linux's Documentation/admin-guide/devices.txt
  unsigned number = 0;
  if (::ioctl(master.get(), TIOCGPTN, &number) < 0) return std::nullopt;
  return makedev(kUnix98SlaveMajor, number);
}

std::optional<pid_t> ForegroundGroup(const Fd& master) {
  pid_t group = 0;
  if (::ioctl(master.get(), TIOCGPGRP, &group) < 0 || group <= 1) return std::nullopt;
  return group;
}

}  // namespace cay::guest
