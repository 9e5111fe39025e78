#include "network/link/relay_door.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/ipc/unix_socket.h"
#include "base/os/sys.h"

namespace cay::network {
namespace {

constexpr const char* kDirectory = "/relay";
constexpr const char* kName = "socket";
// Servers that knocked and ended while another one had the relay.
constexpr int kBacklog = 16;
constexpr timeval kConnectPatience{.tv_sec = 5, .tv_usec = 0};

Result<Fd> OpenDirectory(const std::string& state_dir) {
  return sys::OpenAt(AT_FDCWD, (state_dir + kDirectory).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

Result<Fd> MakeDirectory(const std::string& state_dir) {
  auto made = sys::MkdirAt(AT_FDCWD, (state_dir + kDirectory).c_str(), 0700);
  if (!made && made.error().sys_errno() != EEXIST) return Failure(std::move(made).error());
  Fd directory = TRY(OpenDirectory(state_dir));
  struct stat info{};
  if (::fstat(directory.get(), &info) < 0)
    return Failure(Error::FromErrno("looking at the directory of the network relay's socket"));
  if (info.st_uid != ::geteuid() || (info.st_mode & 077) != 0) {
    return Failure(Error(ErrorCode::kPermissionDenied, Fault::kMachine,
                         state_dir + kDirectory + " is not this user's alone"));
  }
  return directory;
}

// Of a process that had gone when it was asked for: nothing.
Result<std::optional<RelayProcess>> ProcessBehind(Fd control) {
  const ucred peer = TRY(PeerOf(control, "asking who the network relay is"));
  auto pidfd = sys::PidfdOpen(peer.pid);
  // Its number may be another's by now. A relay that ends hangs up: one that has not is the one
  // behind the pidfd.
  pollfd poller{.fd = control.get(), .events = POLLIN | POLLRDHUP, .revents = 0};
  const bool ended = ::poll(&poller, 1, 0) != 0;
  if (ended) return std::nullopt;
  if (!pidfd) return Failure(std::move(pidfd).error());
  return RelayProcess{.control = std::move(control), .pidfd = *std::move(pidfd), .pid = peer.pid};
}

}  // namespace

bool Door::IsThere() const {
  struct stat info{};
  return ::fstat(name.get(), &info) == 0 && info.st_nlink > 0;
}

Result<Door> MakeDoor(const std::string& state_dir) {
  const Fd directory = TRY(MakeDirectory(state_dir));
  Fd socket = TRY(OpenUnixSocket(SOCK_SEQPACKET));
  ::unlinkat(directory.get(), kName, 0);
  TRY(BindIn(directory, kName, socket, "the network relay's socket"));
  Fd name = TRY(sys::OpenAt(directory.get(), kName, O_PATH | O_NOFOLLOW));
  return Door{.socket = std::move(socket), .name = std::move(name), .owner = ::geteuid()};
}

Result<void> Listen(const Door& door) {
  TRY(SetNonBlocking(door.socket, true));
  if (::listen(door.socket.get(), kBacklog) < 0)
    return Failure(Error::FromErrno("listening for the next controller"));
  return {};
}

Result<std::optional<RelayProcess>> KnockAtDoor(const std::string& state_dir) {
  auto directory = OpenDirectory(state_dir);
  if (!directory && directory.error().sys_errno() == ENOENT) return std::nullopt;
  if (!directory) return Failure(std::move(directory).error());
  Fd socket = TRY(OpenUnixSocket(SOCK_SEQPACKET));
  TRY(SetSendTimeout(socket, kConnectPatience));
  if (const auto connected = ConnectIn(*directory, kName, socket); !connected) {
    const int why = connected.error().sys_errno();
    if (why == ENOENT || why == ECONNREFUSED) return std::nullopt;
    return Failure(Error::FromErrno("connecting to the network relay", why));
  }
  return ProcessBehind(std::move(socket));
}

}  // namespace cay::network
