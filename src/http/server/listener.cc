#include "http/server/listener.h"
#include "http/transport/tcp_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace cay::http {
namespace {

constexpr int kBacklog = 4096;  // the kernel bounds it by net.core.somaxconn
// A long stream to a machine that has vanished ends.
constexpr KeepAlive kKeepAlive{.idle = 60, .interval = 15, .probes = 4};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

// As numbers; "localhost" is 127.0.0.1.
Result<SocketAddress> Resolve(const ListenAddress& address) {
  SocketAddress result;
  if (!address.unix_path.empty()) {
    auto* where = reinterpret_cast<sockaddr_un*>(&result.storage);
    if (address.unix_path.size() >= sizeof where->sun_path) {
      return Failure(Error::Invalid("the path of the socket " + address.unix_path +
                                    " is longer than the kernel takes (107 bytes)"));
    }
    where->sun_family = AF_UNIX;
    std::memcpy(where->sun_path, address.unix_path.data(), address.unix_path.size());
    result.length = sizeof *where;
    return result;
  }
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  auto* four = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET, host.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(address.port);
    result.length = sizeof *four;
    return result;
  }
  result = {};
  if (::inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(address.port);
    result.length = sizeof *six;
    return result;
  }
  return Failure(Error::Invalid(host + " is not an IP address")
                     .WithRemedy("listen on 127.0.0.1:PORT, [::1]:PORT or unix:/PATH"));
}

uint16_t PortOf(const Fd& fd) {
  SocketAddress bound;
  bound.length = sizeof bound.storage;
  if (::getsockname(fd.get(), bound.get(), &bound.length) != 0) return 0;
  if (bound.storage.ss_family == AF_INET) {
    return ntohs(reinterpret_cast<sockaddr_in*>(&bound.storage)->sin_port);
  }
  return ntohs(reinterpret_cast<sockaddr_in6*>(&bound.storage)->sin6_port);
}

Error Taken(const ListenAddress& address) {
  return Error(ErrorCode::kAlreadyExists, Fault::kCaller,
               "another program listens on " + address.ToString() + " already")
      .WithRemedy("stop that program, or listen elsewhere with --listen");
}

// A socket file that nobody answers at is what a killed server left.
Result<void> RemoveStaleSocket(const ListenAddress& address) {
  struct stat status{};
  if (::lstat(address.unix_path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) {
    return Failure(Error(ErrorCode::kAlreadyExists, Fault::kCaller,
                         address.unix_path + " exists, and is not a socket")
                       .WithRemedy("remove it, or listen elsewhere with --listen"));
  }
  SocketAddress where = TRY(Resolve(address));
  const int raw = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return Failure(Error::FromErrno("socket"));
  const Fd probe = Fd::Adopt(raw);
  if (::connect(probe.get(), where.get(), where.length) == 0 || errno != ECONNREFUSED) {
    return Failure(Taken(address));
  }
  if (::unlink(address.unix_path.c_str()) != 0 && errno != ENOENT) {
    return Failure(Error::FromErrno("remove " + address.unix_path));
  }
  return {};
}

Peer PeerOf(const SocketAddress& from) {
  Peer peer;
  if (from.storage.ss_family == AF_UNIX) {
    return {.address = "unix", .loopback = true, .unix_socket = true};
  }
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.storage.ss_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(&from.storage);
    ::inet_ntop(AF_INET, &four->sin_addr, text.data(), text.size());
    peer.loopback = (ntohl(four->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
  } else {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(&from.storage);
    ::inet_ntop(AF_INET6, &six->sin6_addr, text.data(), text.size());
    peer.loopback = IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
  }
  peer.address = text.data();
  if (!peer.loopback) peer.client = ClientOf(peer.address);
  return peer;
}

}  // namespace

std::string ClientOf(const std::string& address) {
  in6_addr network{};
  if (::inet_pton(AF_INET6, address.c_str(), &network) != 1) return address;
  std::fill(std::begin(network.s6_addr) + 8, std::end(network.s6_addr), uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(AF_INET6, &network, text.data(), text.size());
  return std::string(text.data()) + "/64";
}

Result<std::unique_ptr<Listener>> Listen(const ListenAddress& address, uint16_t unix_mode) {
  SocketAddress where = TRY(Resolve(address));
  const bool is_unix = !address.unix_path.empty();
  if (is_unix) TRY(RemoveStaleSocket(address));
  const int raw = ::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return Failure(Error::FromErrno("socket for " + address.ToString()));
  Fd fd = Fd::Adopt(raw);
  const int on = 1;
  if (!is_unix) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // "[::]" and "0.0.0.0" are two listeners.
    if (where.storage.ss_family == AF_INET6) {
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    }
  } else if (::fchmod(fd.get(), unix_mode) != 0) {
    // The mode of the unbound socket becomes that of the file (less the umask): there is no instant
    // in which others could connect.
    return Failure(Error::FromErrno("mode of " + address.unix_path));
  }
  if (::bind(fd.get(), where.get(), where.length) != 0) {
    if (errno == EADDRINUSE) return Failure(Taken(address));
    return Failure(Error::FromErrno("listen on " + address.ToString()));
  }
  if (is_unix && ::chmod(address.unix_path.c_str(), unix_mode) != 0) {
    return Failure(Error::FromErrno("mode of " + address.unix_path));
  }
  if (::listen(fd.get(), kBacklog) != 0) {
    if (errno == EADDRINUSE) return Failure(Taken(address));
    return Failure(Error::FromErrno("listen on " + address.ToString()));
  }
  ListenAddress actual = address;
  if (!is_unix) actual.port = PortOf(fd);
  return std::make_unique<Listener>(std::move(fd), std::move(actual));
}

std::expected<Accepted, int> AcceptOne(const Listener& listener) {
  SocketAddress from;
  from.length = sizeof from.storage;
  const int raw =
      ::accept4(listener.fd.get(), from.get(), &from.length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (raw < 0) return std::unexpected(errno);
  Fd fd = Fd::Adopt(raw);
  if (from.storage.ss_family != AF_UNIX) {
    SetTcpOptions(fd, kKeepAlive);
  }
  return Accepted{.fd = std::move(fd), .peer = PeerOf(from)};
}

void StopListening(Listener& listener) {
  // Ends listening even while another thread is in accept; the descriptor stays what it is.
  ::shutdown(listener.fd.get(), SHUT_RDWR);
  if (!listener.address.unix_path.empty()) ::unlink(listener.address.unix_path.c_str());
}

}  // namespace cay::http
