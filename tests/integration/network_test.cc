// OpenNetwork: what of a sandbox reaches the sockets that serve its network, and what does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/os/sys.h"
#include "support/network_world.h"

namespace cay::testing {
namespace {

using engine::NetworkSockets;
using engine::Steering;

class NetworkTest : public ::testing::TestWithParam<Caller> {
 protected:
  static void As(const std::function<void(NetworkWorld&)>& body) { RunAs(GetParam(), body); }
};

std::string NameOf(const ::testing::TestParamInfo<Caller>& info) {
  return info.param == Caller::kRoot ? "Root" : "OrdinaryUser";
}

INSTANTIATE_TEST_SUITE_P(Callers, NetworkTest,
                         ::testing::Values(Caller::kRoot, Caller::kOrdinaryUser), NameOf);

// Connects inside, and says which address it was for out here.
std::string Connects(NetworkWorld& world, const SandboxId& id, const NetworkSockets& network,
                     const Fd& listener, const std::string& to) {
  ProcessStream client = world.Start(id, "exchange " + to);
  const auto connection = Accept(listener);
  if (!connection) return "not accepted: " + NetworkWorld::VerdictOf(client);
  Serve(*connection);
  EXPECT_EQ(NetworkWorld::VerdictOf(client), "pong");
  return OriginalOf(*connection, network.steering);
}

TEST_P(NetworkTest, AConnectionInsideIsAcceptedOutsideWithTheAddressItWasFor) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    ASSERT_TRUE(network->tcp_v4 && network->tcp_v6 && network->hold);
    for (const char* to : {"203.0.113.9 443", "8.8.8.8 53", "127.0.0.1 53", "10.200.0.2 53",
                           "169.254.169.254 80", "10.200.0.3 61853", "0.0.0.1 1"})
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v4, to), to);
    for (const char* to : {"2001:db8::1 80", "::1 53", "fd00:ec2::254 80", "fd00:ca1::3 61853"})
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v6, to), to);
  });
}

}  // namespace
}  // namespace cay::testing
