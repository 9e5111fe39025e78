#include "engine/native/network/policy_sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <initializer_list>
#include <string>

#include "base/os/sys.h"
#include "engine/native/network/steering_plan.h"

namespace cay::engine::native {
namespace {

constexpr int kBacklog = 128;

struct Option {
  int level;
  int name;
  const char* what;
};

// The addresses are local when the routes are there, and those of IPv6 that it answers from are so
// for no socket without IPV6_FREEBIND.
constexpr Option kFreeBindV4 = {SOL_IP, IP_FREEBIND, "IP_FREEBIND"};
constexpr Option kFreeBindV6 = {SOL_IPV6, IPV6_FREEBIND, "IPV6_FREEBIND"};
constexpr Option kOnlyV6 = {SOL_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY"};
constexpr Option kPacketInfoV4 = {SOL_IP, IP_PKTINFO, "IP_PKTINFO"};
constexpr Option kPacketInfoV6 = {SOL_IPV6, IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO"};
constexpr Option kReuse = {SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR"};

Result<void> TurnOn(const Fd& socket, std::initializer_list<Option> options) {
  const int on = 1;
  for (const Option& option : options) {
    if (::setsockopt(socket.get(), option.level, option.name, &on, sizeof on) < 0)
      return Failure(Error::FromErrno(std::string("setting ") + option.what));
  }
  return {};
}

Result<Fd> OpenSocket(int family, int type) {
  const int raw = ::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (raw < 0) return Failure(Error::FromErrno("opening a socket in the sandbox's network"));
  Fd socket = Fd::Adopt(raw);
  if (family == AF_INET) {
    TRY(TurnOn(socket, {kFreeBindV4}));
  } else {
    TRY(TurnOn(socket, {kFreeBindV6, kOnlyV6}));
  }
  return socket;
}

Result<void> Bind(const Fd& socket, int family, uint16_t port) {
  if (const int injected = sys::TakeFault(sys::Call::kBind); injected != 0)
    return Failure(Error::FromErrno("binding a socket in the sandbox's network", injected));
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = ::htons(port);
  ::inet_pton(AF_INET, kPolicyV4, &v4.sin_addr);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = ::htons(port);
  ::inet_pton(AF_INET6, kPolicyV6, &v6.sin6_addr);
  const int bound = family == AF_INET
                        ? ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&v4), sizeof v4)
                        : ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  if (bound < 0) return Failure(Error::FromErrno("binding a socket in the sandbox's network"));
  return {};
}

// To the usual port, or to any that is free: code inside may have every port that it wants.
Result<void> BindSomewhere(const Fd& socket, int family) {
  auto bound = Bind(socket, family, kPolicyPort);
  if (bound || bound.error().sys_errno() != EADDRINUSE) return bound;
  return Bind(socket, family, 0);
}

Result<Fd> OpenListener(int family) {
  Fd socket = TRY(OpenSocket(family, SOCK_STREAM));
  // Connections that have ended keep the port from nobody.
  TRY(TurnOn(socket, {kReuse}));
  TRY(BindSomewhere(socket, family));
  if (::listen(socket.get(), kBacklog) < 0)
    return Failure(Error::FromErrno("listening in the sandbox's network"));
  return socket;
}

Result<Fd> OpenDnsSocket(int family, Steering steering) {
  Fd socket = TRY(OpenSocket(family, SOCK_DGRAM));
  TRY(TurnOn(socket, {family == AF_INET ? kPacketInfoV4 : kPacketInfoV6}));
  if (steering == Steering::kRedirect) {
    TRY(BindSomewhere(socket, family));
    return socket;
  }
  TRY(TurnOn(socket, {kReuse}));
  const auto bound = Bind(socket, family, kDnsPort);
  if (bound) return socket;
  if (bound.error().sys_errno() != EADDRINUSE) return Failure(bound.error());
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                       "a program in the sandbox has UDP port 53, from which names are answered")
                     .WithRemedy("end that program first"));
}

}  // namespace

Result<NetworkSockets> OpenPolicySockets(Steering steering, bool ipv6) {
  NetworkSockets sockets;
  sockets.steering = steering;
  sockets.tcp_v4 = TRY(OpenListener(AF_INET));
  sockets.dns_udp_v4 = TRY(OpenDnsSocket(AF_INET, steering));
  if (!ipv6) return sockets;
  sockets.tcp_v6 = TRY(OpenListener(AF_INET6));
  sockets.dns_udp_v6 = TRY(OpenDnsSocket(AF_INET6, steering));
  return sockets;
}

Result<uint16_t> PortOf(const Fd& socket) {
  sockaddr_in6 address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) < 0)
    return Failure(Error::FromErrno("asking for a socket's port"));
  return ::ntohs(address.sin6_port);  // at the same place in both families
}

}  // namespace cay::engine::native
