#include "guest/confinement/socket_bounds.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace cay::guest {
namespace {

Fd Proc() { return Fd::Adopt(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC)); }

int BufferOf(const Fd& socket, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.get(), SOL_SOCKET, option, &value, &size), 0);
  return value;
}

Fd Open(int family, int type) { return Fd::Adopt(::socket(family, type | SOCK_CLOEXEC, 0)); }

TEST(SocketBoundsTest, ANetlinkSocketIsMadeWithSmallBuffers) {
  const int raw = OpenNetlinkSocket(SOCK_RAW, NETLINK_ROUTE);
  ASSERT_GE(raw, 0);
  const Fd socket = Fd::Adopt(raw);
  EXPECT_EQ(BufferOf(socket, SO_RCVBUF), int{2 * kNetlinkReceiveBuffer});
  EXPECT_EQ(BufferOf(socket, SO_SNDBUF), int{2 * kNetlinkSendBuffer});
  EXPECT_EQ(::fcntl(raw, F_GETFD), FD_CLOEXEC);
}

TEST(SocketBoundsTest, ATypeThatTheKernelRefusesIsItsErrno) {
  EXPECT_EQ(OpenNetlinkSocket(SOCK_STREAM, NETLINK_ROUTE), -ESOCKTNOSUPPORT);
  EXPECT_EQ(OpenNetlinkSocket(SOCK_RAW, 1000), -EPROTONOSUPPORT);
}

// Others of this network namespace come and go: so a number large enough to be seen.
TEST(SocketBoundsTest, SocketsAreCountedBeforeTheyHaveAnAddress) {
  constexpr uint64_t kSome = 200;
  const auto netlink = CountNetlinkSockets(Proc());
  const auto all = CountSockets(Proc());
  ASSERT_TRUE(netlink && all);
  std::vector<Fd> sockets;
  for (uint64_t i = 0; i < kSome; ++i) sockets.push_back(Open(AF_NETLINK, SOCK_RAW));
  EXPECT_GE(CountNetlinkSockets(Proc()).value_or(0), *netlink + kSome / 2);
  EXPECT_GE(CountSockets(Proc()).value_or(0), *all + kSome / 2);
}

TEST(SocketBoundsTest, MoreThanTheBoundGivesTheBound) {
  const Fd datagram = Open(AF_INET, SOCK_DGRAM);
  for (const int value : {64 << 20, -1, int{kInternetReceiveBuffer}}) {
    EXPECT_EQ(SetBuffer(datagram, SO_RCVBUF, value), 0);
    EXPECT_EQ(BufferOf(datagram, SO_RCVBUF), int{2 * kInternetReceiveBuffer});
  }
  EXPECT_EQ(SetBuffer(datagram, SO_RCVBUF, 8192), 0);
  EXPECT_EQ(BufferOf(datagram, SO_RCVBUF), 2 * 8192);
}

TEST(SocketBoundsTest, WhatIsChargedIsNotBounded) {
  const Fd local = Open(AF_UNIX, SOCK_DGRAM);
  const Fd reference = Open(AF_UNIX, SOCK_DGRAM);
  const int much = 64 << 20;
  ASSERT_EQ(::setsockopt(reference.get(), SOL_SOCKET, SO_SNDBUF, &much, sizeof much), 0);
  EXPECT_EQ(SetBuffer(local, SO_SNDBUF, much), 0);
  EXPECT_EQ(BufferOf(local, SO_SNDBUF), BufferOf(reference, SO_SNDBUF));
}

TEST(SocketBoundsTest, WhatIsNoSocketIsSaidSo) {
  const Fd file = Fd::Adopt(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(SetBuffer(file, SO_RCVBUF, 8192), ENOTSOCK);
}

}  // namespace
}  // namespace cay::guest
