#include "network/link/relay_door.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/os/sys.h"

namespace cay::network {
namespace {

constexpr const char* kDirectory = "/relay";
constexpr const char* kName = "socket";
// Servers that knocked and ended while another one had the relay.
constexpr int kBacklog = 16;
constexpr timeval kConnectPatience{.tv_sec = 5, .tv_usec = 0};

// By descriptor: the state directory's path may be longer than sun_path.
sockaddr_un AddressIn(const Fd& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory.get(),
                kName);
  return address;
}

Result<Fd> OpenSocket() {
  const int raw = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (raw < 0) return Failure(Error::FromErrno("opening a socket"));
  return Fd::Adopt(raw);
}

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
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(control.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
    return Failure(Error::FromErrno("asking who the network relay is"));
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
  Fd socket = TRY(OpenSocket());
  ::unlinkat(directory.get(), kName, 0);
  if (const int injected = sys::TakeFault(sys::Call::kBind); injected != 0)
    return Failure(Error::FromErrno("binding the network relay's socket", injected));
  const sockaddr_un address = AddressIn(directory);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return Failure(Error::FromErrno("binding the network relay's socket"));
  if (::fchmodat(directory.get(), kName, 0600, 0) < 0)
    return Failure(Error::FromErrno("closing the network relay's socket to others"));
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
  Fd socket = TRY(OpenSocket());
  // connect(2) waits as long as a send may (unix(7)).
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kConnectPatience,
                   sizeof kConnectPatience) < 0)
    return Failure(Error::FromErrno("setting a time limit"));
  const sockaddr_un address = AddressIn(*directory);
  int connected = -1;
  do {
    connected =
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (connected < 0 && errno == EINTR);
  if (connected < 0 && (errno == ENOENT || errno == ECONNREFUSED)) return std::nullopt;
  if (connected < 0) return Failure(Error::FromErrno("connecting to the network relay"));
  return ProcessBehind(std::move(socket));
}

}  // namespace cay::network
