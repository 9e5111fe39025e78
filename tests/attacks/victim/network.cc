// What the network of a sandbox may reach: by default nothing.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

// Connects within two seconds.
Verdict ConnectTo(int family, const sockaddr* address, socklen_t size, int type = SOCK_STREAM) {
  const int fd = ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Refused();
  Verdict verdict = Through();
  if (::connect(fd, address, size) != 0) {
    if (errno == EINPROGRESS) {
      pollfd wait = {.fd = fd, .events = POLLOUT, .revents = 0};
      int error = ETIMEDOUT;
      if (::poll(&wait, 1, 2000) == 1) {
        socklen_t error_size = sizeof error;
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size);
      }
      if (error != 0) verdict = Refused(error);
    } else {
      verdict = Refused();
    }
  }
  ::close(fd);
  return verdict;
}

// connect ADDRESS PORT [INTERFACE]
Verdict Connect(Arguments arguments) {
  const auto port = static_cast<uint16_t>(::atoi(arguments[1]));
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, arguments[0], &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return ConnectTo(AF_INET, reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, arguments[0], &v6.sin6_addr) != 1) return "not an address";
  v6.sin6_scope_id = arguments.size() > 2 ? ::if_nametoindex(arguments[2]) : 0;
  return ConnectTo(AF_INET6, reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
}

Verdict ConnectUnix(const char* path, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t size = std::strlen(path);
  if (size >= sizeof address.sun_path) return "too long";
  std::memcpy(address.sun_path, path, size);
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  return ConnectTo(AF_UNIX, reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size), type);
}

// unix PATH; "@NAME" is abstract.
Verdict Unix(Arguments arguments) { return ConnectUnix(arguments[0], SOCK_STREAM); }
Verdict UnixPacket(Arguments arguments) { return ConnectUnix(arguments[0], SOCK_SEQPACKET); }

// Not connected: to an address with each datagram.
Verdict UnixDatagram(Arguments arguments) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, arguments[0], sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Refused();
  return OfCall(
      ::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

// hold_unix PATH: when the input has ended.
Verdict HoldUnix(Arguments arguments) {
  Announce("ready");
  WaitForEndOfInput();
  return Unix(arguments);
}

Verdict UnixByLink(Arguments arguments) {
  const char* const link = "/tmp/attack-link";
  ::unlink(link);
  if (::symlink(arguments[0], link) != 0) return "no link: " + Refused();
  return ConnectUnix(link, SOCK_STREAM);
}

Verdict SendDatagram(Arguments arguments) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(::atoi(arguments[1])));
  ::inet_pton(AF_INET, arguments[0], &address.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Refused();
  const int one = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
  return OfCall(
      ::sendto(fd, "x", 1, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

Verdict Interfaces(Arguments) {
  struct if_nameindex* const all = ::if_nameindex();
  if (all == nullptr) return Refused();
  std::string names;
  for (const auto* each = all; each->if_index != 0; ++each) {
    names += names.empty() ? each->if_name : std::string(" ") + each->if_name;
  }
  ::if_freenameindex(all);
  return names;
}

// Inside, loopback is one's own and works.
Verdict OwnLoopback(Arguments) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return Refused();
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 1) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Refused();
  }
  return ConnectTo(AF_INET, reinterpret_cast<const sockaddr*>(&address), size);
}

constexpr std::array kProbes = {
    Probe{"connect", Connect},
    Probe{"unix", Unix},
    Probe{"hold_unix", HoldUnix},
    Probe{"unix_packet", UnixPacket},
    Probe{"unix_datagram", UnixDatagram},
    Probe{"unix_by_link", UnixByLink},
    Probe{"send_datagram", SendDatagram},
    Probe{"interfaces", Interfaces},
    Probe{"own_loopback", OwnLoopback},
};

}  // namespace

std::span<const Probe> NetworkProbes() { return kProbes; }

}  // namespace cay::attacks
