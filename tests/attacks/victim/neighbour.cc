// What somebody else does while a sandbox spends.
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "victim/spent.h"

namespace cay::attacks {
namespace {

Verdict SendAndReceive(int type) {
  sockaddr_in address{};
  const int here = BoundSocket(type, address);
  if (here < 0) return Refused();
  if (type == SOCK_STREAM && ::listen(here, 4) != 0) return Refused();
  const int there = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (there < 0 ||
      ::connect(there, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Refused();
  }
  const int end = type == SOCK_STREAM ? ::accept(here, nullptr, nullptr) : here;
  std::array<char, 16'384> data{};
  for (int i = 0; i < 64; ++i) {
    if (::send(there, data.data(), data.size(), 0) != static_cast<ssize_t>(data.size())) {
      return Refused();
    }
    size_t got = 0;
    while (got < data.size()) {
      const ssize_t one = ::recv(end, data.data(), data.size(), 0);
      if (one <= 0) return Refused();
      got += static_cast<size_t>(one);
    }
  }
  return "";
}

Verdict Lock() {
  const int fd = ::open("/tmp/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct flock lock{};
  lock.l_type = F_WRLCK;
  if (fd < 0 || ::flock(fd, LOCK_EX) != 0 || ::fcntl(fd, F_SETLK, &lock) != 0) return Refused();
  return "";
}

Verdict OpenSomeOfEach() {
  const int netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0 || ::posix_openpt(O_RDWR | O_NOCTTY) < 0 || ::inotify_init1(0) < 0 ||
      ::epoll_create1(0) < 0 || ::memfd_create("one", MFD_CLOEXEC) < 0) {
    return Refused();
  }
  for (int i = 0; i < 500; ++i) {
    if (::open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return Refused();
  }
  return "";
}

Verdict FilterItself() {
  return InChild([] {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return InstallLongFilter() == 0 ? Verdict() : Refused();
  });
}

// What a neighbour does all day.
Verdict Neighbour(Arguments) {
  const Verdict stream = SendAndReceive(SOCK_STREAM);
  if (!stream.empty()) return "stream: " + stream;
  const Verdict datagram = SendAndReceive(SOCK_DGRAM);
  if (!datagram.empty()) return "datagram: " + datagram;
  const Verdict lock = Lock();
  if (!lock.empty()) return "lock: " + lock;
  const Verdict opened = OpenSomeOfEach();
  if (!opened.empty()) return "descriptors: " + opened;
  const Verdict filter = FilterItself();
  if (!filter.empty()) return "filter: " + filter;
  return "undisturbed";
}

constexpr std::array kProbes = {
    Probe{"neighbour", Neighbour},
};

}  // namespace

std::span<const Probe> NeighbourProbes() { return kProbes; }

}  // namespace cay::attacks
