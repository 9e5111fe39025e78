#include "http/client/connector.h"
#include "http/transport/tcp_options.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace cay::http {
namespace {

using Clock = std::chrono::steady_clock;

// A server whose machine has gone is noticed after about a minute of silence.
constexpr KeepAlive kKeepAlive{.idle = 30, .interval = 10, .probes = 3};

Error NotThere(const Url& url, int sys_errno) {
  Error error(ErrorCode::kUnavailable, Fault::kMachine,
              "no server answers at " + url.ToString() + ": " + std::strerror(sys_errno));
  error.set_sys_errno(sys_errno);
  return error;
}

Error TookTooLong(const Url& url) {
  return {ErrorCode::kTimeout, Fault::kMachine,
          "connecting to " + url.ToString() + " took too long"};
}

// Until when it may take, and what ends it before.
struct Patience {
  Clock::time_point deadline;
  int stop_fd;
};

Result<void> WaitFor(const Url& url, int fd, int16_t events, const Patience& patience) {
  std::array<pollfd, 2> waited = {pollfd{.fd = fd, .events = events, .revents = 0},
                                  pollfd{.fd = patience.stop_fd, .events = POLLIN, .revents = 0}};
  for (;;) {
    const auto left = std::chrono::ceil<Millis>(patience.deadline - Clock::now());
    if (left <= Millis(0)) return Failure(TookTooLong(url));
    const int ready = ::poll(waited.data(), waited.size(), static_cast<int>(left.count()));
    if (ready > 0 && waited[1].revents != 0) return Failure(StoppedError());
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return Failure(Error::FromErrno("poll"));
  }
}

Result<Fd> ConnectTo(const Url& url, const sockaddr* address, socklen_t length,
                     const Patience& patience) {
  const int raw = ::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return Failure(Error::FromErrno("socket"));
  Fd fd = Fd::Adopt(raw);
  if (::connect(fd.get(), address, length) != 0) {
    if (errno != EINPROGRESS) return Failure(NotThere(url, errno));
    TRY(WaitFor(url, fd.get(), POLLOUT, patience));
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return Failure(NotThere(url, error));
  }
  return fd;
}

Result<Fd> ConnectTcp(const Url& url, const Patience& patience) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | (url.address.empty() ? 0 : AI_NUMERICHOST);
  addrinfo* found = nullptr;
  const std::string port = std::to_string(url.port);
  // Waits for the system's resolver, which has its own bounds (resolv.conf(5)).
  const std::string& host = url.address.empty() ? url.host : url.address;
  const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (failed != 0) {
    return Failure(Error(ErrorCode::kUnavailable, Fault::kMachine,
                         "the name " + host + " is not known: " + ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  Result<Fd> connected = Failure(NotThere(url, ECONNREFUSED));
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    connected = ConnectTo(url, one->ai_addr, one->ai_addrlen, patience);
    if (connected) {
      SetTcpOptions(*connected, kKeepAlive);
      break;
    }
  }
  return connected;
}

Result<Fd> ConnectUnix(const Url& url, const Patience& patience) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  if (url.path.size() >= sizeof where.sun_path) {
    return Failure(Error::Invalid("the path of the socket " + url.path +
                                  " is longer than the kernel takes (107 bytes)"));
  }
  std::memcpy(where.sun_path, url.path.data(), url.path.size());
  return ConnectTo(url, reinterpret_cast<const sockaddr*>(&where), sizeof where, patience);
}

}  // namespace

Result<Stream> Connect(const Url& url, const TlsContext* context, Millis timeout, int stop_fd) {
  const Patience patience = {.deadline = Clock::now() + timeout, .stop_fd = stop_fd};
  Stream stream(TRY(url.scheme == "unix" ? ConnectUnix(url, patience) : ConnectTcp(url, patience)));
  if (context == nullptr) return stream;
  stream.SetTls(TRY(context->Connect(stream.fd(), url.host)));
  for (;;) {
    const auto wants = TRY(stream.tls()->Handshake());
    if (wants == TlsSession::Wants::kNothing) return stream;
    TRY(WaitFor(url, stream.fd(), wants == TlsSession::Wants::kRead ? POLLIN : POLLOUT, patience));
  }
}

}  // namespace cay::http
