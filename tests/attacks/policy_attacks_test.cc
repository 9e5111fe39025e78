// A sandbox whose network is open, against the sockets that serve it and what leads to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "engine/native/network/policy_sockets.h"
#include "network/network_world.h"

namespace cay::attacks {
namespace {

using engine::NetworkSockets;
using engine::Steering;
using testing::Accept;
using ::testing::AnyOf;
using testing::Caller;
using testing::IsSilent;
using testing::NetworkWorld;
using testing::OriginalOf;
using ::testing::StartsWith;

class PolicyAttack : public ::testing::TestWithParam<Caller> {
 protected:
  using Body = std::function<void(NetworkWorld&, const SandboxId&, const NetworkSockets&)>;
  static void Against(const Body& body) {
    testing::RunAs(GetParam(), [&](NetworkWorld& world) {
      const SandboxId id = world.Create();
      const auto network = world.Open(id);
      ASSERT_TRUE(network) << network.error().ToString();
      body(world, id, *network);
    });
  }
  // The users inside: an ordinary user's sandboxes have no root.
  static std::vector<std::string> Users() {
    if (GetParam() == Caller::kRoot) return {"", "0"};
    return {""};
  }
};

std::string NameOf(const ::testing::TestParamInfo<Caller>& info) {
  return info.param == Caller::kRoot ? "Root" : "OrdinaryUser";
}

INSTANTIATE_TEST_SUITE_P(Callers, PolicyAttack,
                         ::testing::Values(Caller::kRoot, Caller::kOrdinaryUser), NameOf);

// A connection inside is still accepted out here.
void ExpectServed(NetworkWorld& world, const SandboxId& id, const NetworkSockets& network) {
  ProcessStream client = world.Start(id, "exchange 203.0.113.9 443");
  const auto connection = Accept(*network.tcp_v4);
  ASSERT_TRUE(connection);
  EXPECT_EQ(OriginalOf(*connection, network.steering), "203.0.113.9 443");
  testing::Serve(*connection);
  EXPECT_EQ(NetworkWorld::VerdictOf(client), "pong");
}

// … and a question arrives and is answered.
void ExpectAnswered(NetworkWorld& world, const SandboxId& id, const NetworkSockets& network,
                    const std::string& server) {
  ProcessStream client = world.Start(id, "ask " + server + " 53");
  const auto question = testing::Receive(*network.dns_udp_v4);
  ASSERT_TRUE(question) << NetworkWorld::VerdictOf(client);
  testing::Answer(*network.dns_udp_v4, *question, "answer");
  EXPECT_EQ(NetworkWorld::VerdictOf(client), "answer");
}

TEST_P(PolicyAttack, ThePortsOfTheListenersAreNotTaken) {
  Against([](NetworkWorld& world, const SandboxId& id, const NetworkSockets& network) {
    const std::string v4 = std::to_string(*engine::native::PortOf(*network.tcp_v4));
    const std::string v6 = std::to_string(*engine::native::PortOf(*network.tcp_v6));
    for (const std::string& user : Users()) {
      for (const char* how : {"", " reuse"}) {
        EXPECT_EQ(world.Run(id, "take tcp 10.200.0.3 " + v4 + how, user), "refused EADDRINUSE");
        EXPECT_EQ(world.Run(id, "take tcp 0.0.0.0 " + v4 + how, user), "refused EADDRINUSE");
        EXPECT_THAT(world.Run(id, "take tcp fd00:ca1::3 " + v6 + how, user),
                    AnyOf("refused EADDRINUSE", "refused EADDRNOTAVAIL"));
      }
    }
    ExpectServed(world, id, network);
  });
}

// Code inside may have port 53, and is asked nothing.
TEST_P(PolicyAttack, WhoeverHasPort53InsideIsNotAskedForNames) {
  Against([](NetworkWorld& world, const SandboxId& id, const NetworkSockets& network) {
    for (const char* place : {"udp 127.0.0.1 53", "udp 10.200.0.2 53", "udp 8.8.8.8 53",
                              "udp 0.0.0.0 53 reuse", "udp 10.200.0.3 53 reuse"}) {
      ProcessStream holder = world.Start(id, std::string("hold ") + place);
      NetworkWorld::AwaitLine(holder, "ready");
      for (const char* server : {"127.0.0.1", "10.200.0.2", "8.8.8.8", "10.200.0.3"})
        ExpectAnswered(world, id, network, server);
      ASSERT_TRUE(holder.CloseStdin());
      EXPECT_EQ(NetworkWorld::VerdictOf(holder), "through") << place;
    }
    for (const char* place : {"tcp 0.0.0.0 53", "tcp 203.0.113.9 443", "tcp :: 443"})
      EXPECT_EQ(world.Run(id, std::string("take ") + place), "through") << place;
  });
}

TEST_P(PolicyAttack, WhoConnectsToTheSocketsThemselvesIsSeenToHaveDoneSo) {
  Against([](NetworkWorld& world, const SandboxId& id, const NetworkSockets& network) {
    const std::string port = std::to_string(*engine::native::PortOf(*network.tcp_v4));
    ProcessStream client = world.Start(id, "exchange 10.200.0.3 " + port);
    const auto connection = Accept(*network.tcp_v4);
    ASSERT_TRUE(connection);
    // A private address, as any other.
    EXPECT_EQ(OriginalOf(*connection, network.steering), "10.200.0.3 " + port);
    testing::Serve(*connection);
    EXPECT_EQ(NetworkWorld::VerdictOf(client), "pong");
    for (const char* own : {"127.0.0.1", "10.200.0.2", "::1", "fd00:ca1::2"})
      EXPECT_EQ(world.Run(id, std::string("exchange ") + own + " " + port), "refused ECONNREFUSED");
    EXPECT_TRUE(IsSilent(*network.tcp_v4));
    EXPECT_TRUE(IsSilent(*network.tcp_v6));
  });
}

TEST_P(PolicyAttack, NothingOfTheNetworkIsChanged) {
  Against([](NetworkWorld& world, const SandboxId& id, const NetworkSockets& network) {
    for (const std::string& user : Users()) {
      EXPECT_EQ(world.Run(id, "change_network", user), "refused EPERM");
      EXPECT_EQ(world.Run(id, "open_netfilter", user), "refused EPROTONOSUPPORT");
      for (const char* setting :
           {"ipv4/icmp_echo_ignore_all", "ipv4/ip_nonlocal_bind", "ipv4/conf/all/route_localnet"})
        EXPECT_THAT(world.Run(id, std::string("write /proc/sys/net/") + setting + " 1", user),
                    StartsWith("refused "));
    }
    ExpectServed(world, id, network);
    ExpectAnswered(world, id, network, "8.8.8.8");
  });
}

// Whoever answers every datagram must not be made to talk to itself.
TEST_P(PolicyAttack, NoQuestionComesFromWhereItWouldBeAnsweredTo) {
  Against([](NetworkWorld& world, const SandboxId& id, const NetworkSockets& network) {
    for (const char* from : {"8.8.8.8 53", "127.0.0.1 53", "10.200.0.2 53"})
      EXPECT_EQ(world.Run(id, std::string("ask_from ") + from + " 1.1.1.1 53"),
                "refused ECONNREFUSED");
    EXPECT_TRUE(IsSilent(*network.dns_udp_v4));
  });
}

TEST_P(PolicyAttack, AnotherSandboxHasNothingOfIt) {
  Against([](NetworkWorld& world, const SandboxId&, const NetworkSockets& network) {
    const SandboxId other = world.Create();
    const std::string port = std::to_string(*engine::native::PortOf(*network.tcp_v4));
    EXPECT_EQ(world.Run(other, "exchange 10.200.0.3 " + port), "refused ENETUNREACH");
    EXPECT_EQ(world.Run(other, "exchange 10.200.0.2 " + port), "refused ENETUNREACH");
    EXPECT_EQ(world.Run(other, "exchange 127.0.0.1 " + port), "refused ECONNREFUSED");
    EXPECT_TRUE(IsSilent(*network.tcp_v4));
  });
}

}  // namespace
}  // namespace cay::attacks
