#include "engine/native/network/network_packet.h"

#include <gtest/gtest.h>

namespace cay::engine::native {
namespace {

Fd Any() { return std::move(MakePipe()->read); }

TEST(NetworkPacket, WhatIsThereComesBackWithItsDescriptors) {
  NetworkSockets sockets;
  sockets.steering = Steering::kRedirect;
  sockets.tcp_v4 = Any();
  sockets.dns_udp_v4 = Any();
  sockets.hold = Any();
  const int tcp = sockets.tcp_v4->get();
  const int dns = sockets.dns_udp_v4->get();
  const int hold = sockets.hold->get();
  protocol::CborWriter writer;
  EncodeNetwork(writer, sockets);
  protocol::CborReader reader(writer.text());
  const auto decoded = DecodeNetwork(reader, TakeDescriptors(std::move(sockets)));
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(decoded->steering, Steering::kRedirect);
  EXPECT_EQ(decoded->tcp_v4->get(), tcp);
  EXPECT_EQ(decoded->dns_udp_v4->get(), dns);
  EXPECT_EQ(decoded->hold->get(), hold);
  EXPECT_FALSE(decoded->tcp_v6 || decoded->dns_udp_v6);
}

TEST(NetworkPacket, DescriptorsThatWereNotNamedOrDidNotComeAreRefused) {
  NetworkSockets sockets;
  sockets.tcp_v4 = Any();
  protocol::CborWriter writer;
  EncodeNetwork(writer, sockets);
  for (const size_t count : {size_t{0}, size_t{2}}) {
    std::vector<Fd> fds;
    while (fds.size() < count) fds.push_back(Any());
    protocol::CborReader reader(writer.text());
    EXPECT_EQ(DecodeNetwork(reader, std::move(fds)).error().code(), ErrorCode::kProtocol);
  }
  protocol::CborReader cut(std::string_view(writer.text()).substr(0, 3));
  EXPECT_FALSE(DecodeNetwork(cut, {}));
}

}  // namespace
}  // namespace cay::engine::native
