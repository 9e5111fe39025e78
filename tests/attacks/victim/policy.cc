// What a sandbox whose network is open does with it, and tries against the sockets that serve it.
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "victim/probe.h"

namespace cay::attacks {
namespace {

constexpr int kPatienceMs = 5000;

struct Address {
  sockaddr_in6 bytes{};  // of either family: they have the port at the same place
  socklen_t size = 0;
  int family = AF_UNSPEC;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
};

Address ParseAddress(const char* text, const char* port) {
  Address address;
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    std::memcpy(&address.bytes, &v4, sizeof v4);
    address.size = sizeof v4;
    address.family = AF_INET;
  } else if (::inet_pton(AF_INET6, text, &address.bytes.sin6_addr) == 1) {
    address.bytes.sin6_family = AF_INET6;
    address.size = sizeof address.bytes;
    address.family = AF_INET6;
  }
  address.bytes.sin6_port = htons(static_cast<uint16_t>(::atoi(port)));
  return address;
}

std::string TextOf(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  sockaddr_in v4{};
  std::memcpy(&v4, &address.bytes, sizeof v4);
  const void* bytes = address.bytes.sin6_family == AF_INET
                          ? static_cast<const void*>(&v4.sin_addr)
                          : static_cast<const void*>(&address.bytes.sin6_addr);
  ::inet_ntop(address.bytes.sin6_family, bytes, text.data(), text.size());
  return text.data();
}

// One that gives up after some seconds.
int Socket(int family, int type) {
  const int fd = ::socket(family, type | SOCK_CLOEXEC, 0);
  const timeval patience = {.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO})
    ::setsockopt(fd, SOL_SOCKET, option, &patience, sizeof patience);
  return fd;
}

Verdict Received(int fd) {
  std::array<char, 512> text{};
  const ssize_t got = ::recv(fd, text.data(), text.size(), 0);
  if (got < 0) return Refused();
  return {text.data(), static_cast<size_t>(got)};
}

// exchange ADDRESS PORT: connects, sends "ping", and says what comes back.
Verdict Exchange(Arguments arguments) {
  const Address to = ParseAddress(arguments[0], arguments[1]);
  const int fd = Socket(to.family, SOCK_STREAM);
  if (::connect(fd, to.get(), to.size) < 0) return Refused();
  if (::send(fd, "ping", 4, MSG_NOSIGNAL) != 4) return Refused();
  return Received(fd);
}

// ask ADDRESS PORT: as a resolver does, over a connected socket.
Verdict Ask(Arguments arguments) {
  const Address to = ParseAddress(arguments[0], arguments[1]);
  const int fd = Socket(to.family, SOCK_DGRAM);
  if (::connect(fd, to.get(), to.size) < 0) return Refused();
  if (::send(fd, "question", 8, 0) != 8) return Refused();
  return Received(fd);
}

// ask_from SOURCE PORT ADDRESS PORT: from there, and says who answers.
Verdict AskFrom(Arguments arguments) {
  const Address from = ParseAddress(arguments[0], arguments[1]);
  const Address to = ParseAddress(arguments[2], arguments[3]);
  const int fd = Socket(from.family, SOCK_DGRAM);
  const int on = 1;
  ::setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof on);  // so that it is told of refusals
  if (::bind(fd, from.get(), from.size) < 0) return "not bound: " + Refused();
  if (::sendto(fd, "question", 8, 0, to.get(), to.size) != 8) return Refused();
  Address by;
  by.size = sizeof by.bytes;
  std::array<char, 512> text{};
  const ssize_t got = ::recvfrom(fd, text.data(), text.size(), 0, by.get(), &by.size);
  if (got < 0) return Refused();
  return std::string(text.data(), static_cast<size_t>(got)) + " by " + TextOf(by) + " " +
         std::to_string(ntohs(by.bytes.sin6_port));
}

// serve ADDRESS PORT OTHER: listens there and connects to the port of OTHER: who accepts it?
Verdict Serve(Arguments arguments) {
  const Address at = ParseAddress(arguments[0], arguments[1]);
  const Address to = ParseAddress(arguments[2], arguments[1]);
  const int listener = Socket(at.family, SOCK_STREAM);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener, at.get(), at.size) < 0 || ::listen(listener, 1) < 0)
    return "not listening: " + Refused();
  const int fd = Socket(to.family, SOCK_STREAM);
  if (::connect(fd, to.get(), to.size) < 0) return Refused();
  pollfd wait = {.fd = listener, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 300) == 1 ? "by itself" : "by somebody else";
}

// take tcp|udp ADDRESS PORT [reuse]
Verdict Take(Arguments arguments) {
  const bool tcp = std::string_view(arguments[0]) == "tcp";
  const Address at = ParseAddress(arguments[1], arguments[2]);
  const int fd = Socket(at.family, tcp ? SOCK_STREAM : SOCK_DGRAM);
  const int on = 1;
  if (arguments.size() > 3) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, at.get(), at.size) < 0) return Refused();
  return tcp ? OfCall(::listen(fd, 1)) : Through();
}

// hold tcp|udp ADDRESS PORT: until the input ends.
Verdict Hold(Arguments arguments) {
  const Verdict taken = Take(arguments);
  Announce("ready");
  WaitForEndOfInput();
  return taken;
}

// own_address ADDRESS: which it is told that it has, on the way there.
Verdict OwnAddress(Arguments arguments) {
  Address to = ParseAddress(arguments[0], "9");
  const int fd = Socket(to.family, SOCK_DGRAM);
  if (::connect(fd, to.get(), to.size) < 0 || ::getsockname(fd, to.get(), &to.size) < 0)
    return Refused();
  return TextOf(to);
}

// ping ADDRESS: whether it answers within some tenths of a second.
Verdict Ping(Arguments arguments) {
  const Address to = ParseAddress(arguments[0], "0");
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
  const std::array<char, 8> echo = {8};  // its type; the kernel does the rest
  if (fd < 0 || ::sendto(fd, echo.data(), echo.size(), 0, to.get(), to.size) < 0) return Refused();
  pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, 300) == 1 ? "answered" : "not answered";
}

template <class Header>
struct Request {
  nlmsghdr head{};
  Header header{};
  // RTA_OIF, IFA_LOCAL, …
  nlattr attribute{};
  uint32_t value = 0;
};

// What the kernel says of it.
template <class Header>
Verdict AskNetlink(uint16_t type, const Header& header, uint16_t attribute, uint32_t value) {
  Request<Header> request;
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = type;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
  request.header = header;
  request.attribute = {.nla_len = sizeof(nlattr) + sizeof value, .nla_type = attribute};
  request.value = value;
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0 || ::send(fd, &request, sizeof request, 0) < 0) return Refused();
  struct {
    nlmsghdr head;
    nlmsgerr error;
  } answer{};
  if (::recv(fd, &answer, sizeof answer, 0) < 0) return Refused();
  ::close(fd);
  return answer.error.error == 0 ? Through() : Refused(-answer.error.error);
}

// Removes the route that makes all addresses local, adds one of its own, takes another address, and
// brings lo down: "refused EPERM" if that is what all of it is.
Verdict ChangeNetwork(Arguments) {
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_LOCAL;
  route.rtm_scope = RT_SCOPE_HOST;
  route.rtm_type = RTN_LOCAL;
  ifaddrmsg address{};
  address.ifa_family = AF_INET;
  address.ifa_prefixlen = 32;
  address.ifa_index = 1;
  ifinfomsg link{};
  link.ifi_index = 1;
  link.ifi_change = 1;  // IFF_UP
  const std::array<Verdict, 4> verdicts = {
      AskNetlink(RTM_DELROUTE, route, RTA_OIF, 1U),
      AskNetlink(RTM_NEWROUTE, route, RTA_OIF, 1U),
      AskNetlink(RTM_NEWADDR, address, IFA_LOCAL, htonl(0x0a010203)),
      AskNetlink(RTM_NEWLINK, link, IFLA_MTU, 1500U),
  };
  Verdict all = verdicts[0];
  for (const Verdict& verdict : verdicts)
    if (verdict != verdicts[0]) all += ", " + verdict;
  return all;
}

Verdict OpenNetfilter(Arguments) {
  return OfCall(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
}

constexpr std::array kProbes = {
    Probe{"exchange", Exchange},
    Probe{"ask", Ask},
    Probe{"ask_from", AskFrom},
    Probe{"serve", Serve},
    Probe{"take", Take},
    Probe{"hold", Hold},
    Probe{"own_address", OwnAddress},
    Probe{"ping", Ping},
    Probe{"change_network", ChangeNetwork},
    Probe{"open_netfilter", OpenNetfilter},
};

}  // namespace

std::span<const Probe> PolicyProbes() { return kProbes; }

}  // namespace cay::attacks
