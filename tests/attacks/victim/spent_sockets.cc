// What sockets hold, and what holds them.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <sstream>
#include <vector>

#include "victim/spent.h"

namespace cay::attacks {

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int BoundSocket(int type, sockaddr_in& address) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  address = Loopback();
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, plain, size) != 0 || ::getsockname(fd, plain, &size) != 0) return -1;
  return fd;
}

namespace {

int Connect(const sockaddr_in& address, int flags) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -1;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS) {
    ::close(fd);
    return -1;
  }
  return fd;
}

// A number in a file of /proc/net, after `key` in the line that starts with `line`.
long NetNumber(const std::string& file, const std::string& line, const std::string& key) {
  std::istringstream text(ReadSome("/proc/net/" + file));
  for (std::string one; std::getline(text, one);) {
    if (!one.starts_with(line)) continue;
    const size_t at = one.find(" " + key + " ");
    if (at != std::string::npos) return ::atol(one.c_str() + at + key.size() + 2);
  }
  return -1;
}

// In KiB: what is unread in all netlink sockets of this network.
long UnreadNetlink() {
  std::istringstream text(ReadSome("/proc/net/netlink"));
  std::string line;
  std::getline(text, line);
  long sum = 0;
  while (std::getline(text, line)) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 4; ++i) words >> word;
    long unread = 0;
    if (words >> unread) sum += unread;
  }
  return sum / 1024;
}

// Requests that are answered with an error, which holds the request: as large as may be sent.
void FillNetlink(int fd) {
  const int much = 64 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &much, sizeof much);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &much, sizeof much);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &much, sizeof much);
  static std::vector<char> request(1 << 20);
  for (size_t size = request.size(); size >= 64; size /= 2) {
    nlmsghdr head{};
    head.nlmsg_len = static_cast<uint32_t>(size - 64);
    head.nlmsg_type = RTM_NEWLINK;
    head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    std::memcpy(request.data(), &head, sizeof head);
    for (int i = 0; i < 40; ++i) {
      if (::send(fd, request.data(), head.nlmsg_len, MSG_DONTWAIT) < 0) break;
    }
  }
}

// Each is filled with the answers to what it sends itself.
Verdict SpendPings(Arguments) {
  const sockaddr_in to = Loopback();
  std::vector<char> echo(1400);
  echo[0] = 8;  // ICMP_ECHO
  long sockets = 0;
  while (sockets < 4000) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0) return Hold(Refused(errno), sockets);
    ++sockets;
    for (int i = 0; i < 300; ++i) {
      ::sendto(fd, echo.data(), echo.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to),
               sizeof to);
    }
  }
  return Hold(Through(), sockets);
}

// Sockets that have no address yet are on no list of the kernel's: so all are made before one is
// used.
Verdict SpendNetlink(Arguments) {
  std::vector<int> sockets;
  int refused = 0;
  while (sockets.size() < 4000) {
    const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
      refused = errno;
      break;
    }
    sockets.push_back(fd);
  }
  for (const int fd : sockets) FillNetlink(fd);
  return Hold(refused == 0 ? Through() : Refused(refused), UnreadNetlink());
}

// Descriptors that nobody has but a message that nobody reads count as well.
Verdict SpendNetlinkInFlight(Arguments) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return Refused();
  }
  long made = 0;
  int refused = 0;
  while (made < 4000 && refused == 0) {
    const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
      refused = errno;
      break;
    }
    ++made;
    char byte = 0;
    iovec data{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
    if (::sendmsg(ends[0], &message, 0) < 0) {
      if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) break;
      continue;  // this one stays open
    }
    ::close(fd);
  }
  return Hold(refused == 0 ? Through() : Refused(refused), made);
}

Verdict SpendSocketFilters(Arguments) {
  static std::array<sock_filter, 1> program = {{{BPF_RET | BPF_K, 0, 0, 0xffff}}};
  const sock_fprog filter = {.len = 1, .filter = program.data()};
  long held = 0;
  for (const int option : {SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF}) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (::setsockopt(fd, SOL_SOCKET, option, &filter, sizeof filter) == 0) ++held;
  }
  return Hold(Refused(), held);
}

// What nobody reads, on connections and in datagrams, until the sender would have to wait.
Verdict SpendTcp(Arguments) {
  static const std::vector<char> data(64 << 10, 'x');
  return InProcesses(2, Until::kAllHave, [] {
    sockaddr_in address{};
    const int listener = BoundSocket(SOCK_STREAM, address);
    if (listener < 0 || ::listen(listener, 512) != 0) return Share{0, errno};
    Share share{0, 0};
    for (int i = 0; i < 400; ++i) {
      const int fd = Connect(address, SOCK_NONBLOCK);
      if (fd < 0) return Share{share.held, errno};
      if (::accept(listener, nullptr, nullptr) < 0) return Share{share.held, errno};
      ssize_t written = 0;
      while ((written = ::write(fd, data.data(), data.size())) > 0) share.held += written / 1024;
    }
    return share;
  });
}

Verdict SpendUdp(Arguments) {
  static const std::vector<char> data(60'000, 'x');
  return InProcesses(2, Until::kAllHave, [] {
    Share share{0, 0};
    for (int i = 0; i < 500; ++i) {
      sockaddr_in address{};
      const int fd = BoundSocket(SOCK_DGRAM, address);
      if (fd < 0) return Share{share.held, errno};
      const int much = 64 << 20;
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &much, sizeof much);
      for (int j = 0; j < 20; ++j) {
        ::sendto(fd, data.data(), data.size(), MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&address), sizeof address);
      }
      ++share.held;
    }
    return share;
  });
}

// Each of some sockets has a queue of errors, of datagrams to where nobody listens.
Verdict SpendSockets(Arguments) {
  const sockaddr_in nobody = Loopback(9);
  return InProcesses(4, Until::kRefused, [&nobody] {
    Share share{0, 0};
    while (share.held < 4000) {
      const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (fd < 0) return Share{share.held, errno};
      if (++share.held > 64) continue;
      const int one = 1;
      const int much = 64 << 20;
      ::setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof one);
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &much, sizeof much);
      for (int i = 0; i < 2000; ++i) {
        ::sendto(fd, &one, sizeof one, MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&nobody),
                 sizeof nobody);
      }
    }
    return share;
  });
}

// Connections that nobody accepts, whose other end is gone.
Verdict SpendBacklogs(Arguments) {
  return InProcesses(2, Until::kRefused, [] {
    Share share{0, 0};
    for (int i = 0; i < 100; ++i) {
      sockaddr_in address{};
      const int listener = BoundSocket(SOCK_STREAM, address);
      if (listener < 0 || ::listen(listener, 4096) != 0) return Share{share.held, errno};
      for (int j = 0; j < 400; ++j) {
        const int fd = Connect(address, 0);
        if (fd < 0) return Share{share.held, errno};
        ::close(fd);
        ++share.held;
      }
    }
    return share;
  });
}

// Connections that nobody accepts and that have data, all of one socket: it gives each up
// (AF_UNSPEC, connect(2)), and makes the next.
Verdict SpendConnectionsOfOneSocket(Arguments) {
  static const std::vector<char> data(128 << 10, 'x');
  std::vector<sockaddr_in> listeners(8);
  for (sockaddr_in& address : listeners) {
    const int listener = BoundSocket(SOCK_STREAM, address);
    if (listener < 0 || ::listen(listener, 4096) != 0) return Refused();
  }
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  long held = 0;
  for (const sockaddr_in& address : listeners) {
    for (int i = 0; i < 1000; ++i) {
      if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return Hold(Refused(), held);
      }
      ++held;
      while (::send(fd, data.data(), data.size(), MSG_DONTWAIT) > 0) {
      }
      if (::connect(fd, &nobody, sizeof nobody.sa_family) != 0) return Refused();
    }
  }
  return Hold(Through(), held);
}

// A connection that the first data make.
Verdict ConnectBySending(Arguments) {
  sockaddr_in address{};
  const int listener = BoundSocket(SOCK_STREAM, address);
  if (listener < 0 || ::listen(listener, 16) != 0) return Refused();
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto* const plain = reinterpret_cast<const sockaddr*>(&address);
  char byte = 'x';
  Verdict verdict = OfCall(::sendto(fd, &byte, 1, MSG_FASTOPEN, plain, sizeof address));
  iovec piece{.iov_base = &byte, .iov_len = 1};
  mmsghdr message{};
  message.msg_hdr.msg_name = &address;
  message.msg_hdr.msg_namelen = sizeof address;
  message.msg_hdr.msg_iov = &piece;
  message.msg_hdr.msg_iovlen = 1;
  verdict += ", " + OfCall(::sendmsg(fd, &message.msg_hdr, MSG_FASTOPEN));
  return verdict + ", " + OfCall(::sendmmsg(fd, &message, 1, MSG_FASTOPEN));
}

// Connections that are closed while nobody reads what was sent on them.
Verdict SpendOrphans(Arguments) {
  static const std::vector<char> data(64 << 10, 'x');
  return InProcesses(2, Until::kRefused, [] {
    sockaddr_in address{};
    const int listener = BoundSocket(SOCK_STREAM, address);
    if (listener < 0 || ::listen(listener, 512) != 0) return Share{0, errno};
    Share share{0, 0};
    while (share.held < 4000) {
      const int fd = Connect(address, SOCK_NONBLOCK);
      if (fd < 0 || ::accept(listener, nullptr, nullptr) < 0) return Share{share.held, errno};
      for (int i = 0; i < 8 && ::write(fd, data.data(), data.size()) > 0; ++i) {
      }
      ::close(fd);
      ++share.held;
    }
    return share;
  });
}

Verdict SpendEndedConnections(Arguments) {
  for (int i = 0; i < 10; ++i) {
    sockaddr_in address{};
    const int listener = BoundSocket(SOCK_STREAM, address);
    if (listener < 0 || ::listen(listener, 16) != 0) return Refused();
    for (int j = 0; j < 1000; ++j) {
      const int fd = Connect(address, 0);
      const int other = fd < 0 ? -1 : ::accept(listener, nullptr, nullptr);
      if (other < 0) return Refused();
      ::close(fd);
      ::close(other);
    }
    ::close(listener);
  }
  return Hold("done", NetNumber("sockstat", "TCP:", "tw"));
}

Verdict SpendGroups(Arguments) {
  const int four = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int six = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  long held = 0;
  for (uint32_t i = 1; i < 100; ++i) {
    ip_mreqn group{};
    group.imr_multiaddr.s_addr = htonl(0xe100'0000 + i);
    group.imr_ifindex = 1;
    if (::setsockopt(four, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) == 0) ++held;
    ipv6_mreq long_group{};
    long_group.ipv6mr_interface = 1;
    long_group.ipv6mr_multiaddr.s6_addr[0] = 0xff;
    long_group.ipv6mr_multiaddr.s6_addr[1] = 2;
    long_group.ipv6mr_multiaddr.s6_addr[15] = static_cast<uint8_t>(i);
    if (::setsockopt(six, IPPROTO_IPV6, IPV6_JOIN_GROUP, &long_group, sizeof long_group) == 0) {
      ++held;
    }
  }
  return Hold(Refused(), held);
}

// linux/in6.h, which cannot be included beside netinet/in.h.
struct FlowLabelRequest {
  in6_addr destination;
  uint32_t label;
  uint8_t action;
  uint8_t share;
  uint16_t flags;
  uint16_t expires;
  uint16_t linger;
  uint32_t padding;
};

Verdict SpendFlowLabels(Arguments) {
  constexpr int kManager = 32;
  long held = 0;
  for (uint32_t i = 1; i <= 100; ++i) {
    const int fd = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    FlowLabelRequest request{};
    request.destination.s6_addr[15] = 1;
    request.label = htonl(i);
    request.share = 1;  // IPV6_FL_S_EXCL
    request.flags = 1;  // IPV6_FL_F_CREATE
    if (::setsockopt(fd, IPPROTO_IPV6, kManager, &request, sizeof request) != 0) break;
    ++held;
  }
  return Hold(Refused(), held);
}

Verdict SpendKeysOfSockets(Arguments) {
  tcp_md5sig key{};
  const sockaddr_in address = Loopback(1);
  std::memcpy(&key.tcpm_addr, &address, sizeof address);
  key.tcpm_keylen = 8;
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int result = ::setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key);
  return Hold(OfCall(result), result == 0 ? 1 : 0);
}

constexpr std::array kProbes = {
    Probe{"spend_netlink", SpendNetlink},
    Probe{"spend_pings", SpendPings},
    Probe{"spend_netlink_in_flight", SpendNetlinkInFlight},
    Probe{"spend_socket_filters", SpendSocketFilters},
    Probe{"spend_tcp", SpendTcp},
    Probe{"spend_udp", SpendUdp},
    Probe{"spend_sockets", SpendSockets},
    Probe{"spend_backlogs", SpendBacklogs},
    Probe{"spend_connections_of_one_socket", SpendConnectionsOfOneSocket},
    Probe{"connect_by_sending", ConnectBySending},
    Probe{"spend_orphans", SpendOrphans},
    Probe{"spend_ended_connections", SpendEndedConnections},
    Probe{"spend_groups", SpendGroups},
    Probe{"spend_flow_labels", SpendFlowLabels},
    Probe{"spend_keys_of_sockets", SpendKeysOfSockets},
};

}  // namespace

std::span<const Probe> SpentSocketProbes() { return kProbes; }

}  // namespace cay::attacks
