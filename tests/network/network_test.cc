// OpenNetwork: what of a sandbox reaches the sockets that serve its network, and what does not.
#include "engine/native/network/open_network.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "base/os/sys.h"
#include "engine/native/network/every_address.h"
#include "engine/native/network/policy_sockets.h"
#include "network/network_world.h"

namespace cay::testing {
namespace {

using engine::NetworkSockets;
using engine::Steering;
using ::testing::HasSubstr;
using ::testing::StartsWith;

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

// Asks inside and is answered out here: what is said inside. `asked`: as it arrived.
std::string Asks(NetworkWorld& world, const SandboxId& id, const Fd& socket,
                 const std::string& probe, std::string& asked) {
  ProcessStream client = world.Start(id, probe);
  const auto question = Receive(socket);
  if (!question) return "not arrived: " + NetworkWorld::VerdictOf(client);
  EXPECT_EQ(question->text, "question");
  asked = question->asked;
  Answer(socket, *question, "answer");
  return NetworkWorld::VerdictOf(client);
}

size_t OpenDescriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<size_t>(std::distance(begin(all), end(all)));
}

TEST_P(NetworkTest, AConnectionInsideIsAcceptedOutsideWithTheAddressItWasFor) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    ASSERT_TRUE(network->tcp_v4 && network->tcp_v6 && network->hold);
    if (GetParam() == Caller::kOrdinaryUser) {
      EXPECT_EQ(network->steering, Steering::kRedirect);
    }
    for (const char* to :
         {"203.0.113.9 443", "8.8.8.8 53", "127.0.0.1 53", "10.200.0.2 53", "169.254.169.254 80",
          "10.200.0.3 61853", "0.0.0.1 1", "126.255.255.255 2", "128.0.0.0 3", "10.200.0.1 4"})
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v4, to), to);
    for (const char* to : {"2001:db8::1 80", "::1 53", "fd00:ec2::254 80", "fd00:ca1::3 61853",
                           "fd00:ca1::1 1", "::2 2"})
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v6, to), to);
  });
}

TEST_P(NetworkTest, ANameIsAskedOfEveryServerAndAnsweredFromItsAddress) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    const bool tells = network->steering == Steering::kLookup;
    for (const std::string server : {"8.8.8.8", "127.0.0.1", "10.200.0.2", "10.200.0.3",
                                     "2001:4860:4860::8888", "::1", "fd00:ca1::2"}) {
      const bool v4 = server.find(':') == std::string::npos;
      const Fd& socket = v4 ? *network->dns_udp_v4 : *network->dns_udp_v6;
      std::string asked;
      EXPECT_EQ(Asks(world, id, socket, "ask " + server + " 53", asked), "answer") << server;
      EXPECT_EQ(asked, tells ? server : v4 ? "10.200.0.3" : "fd00:ca1::3");
      // One that is not connected takes answers from anybody, and sees who it is.
      const std::string from = v4 ? "0.0.0.0" : "::";
      EXPECT_EQ(Asks(world, id, socket, "ask_from " + from + " 0 " + server + " 53", asked),
                "answer by " + server + " 53");
    }
  });
}

TEST_P(NetworkTest, WhatIsTheSandboxsOwnStaysInside) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    for (const std::string own : {"127.0.0.1", "127.1.2.3", "10.200.0.2", "::1", "fd00:ca1::2"}) {
      EXPECT_EQ(world.Run(id, "serve " + own + " 8080 " + own), "by itself") << own;
      const std::string any = own.find(':') == std::string::npos ? "0.0.0.0" : "::";
      EXPECT_EQ(world.Run(id, "serve " + any + " 443 " + own), "by itself") << own;
      EXPECT_EQ(world.Run(id, "exchange " + own + " 8081"), "refused ECONNREFUSED") << own;
    }
    for (const auto* socket : {&network->tcp_v4, &network->tcp_v6}) EXPECT_TRUE(IsSilent(**socket));
  });
}

TEST_P(NetworkTest, AListenerInsideDoesNotCatchWhatIsForAnotherAddress) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    for (const std::string any :
         {"0.0.0.0 443 203.0.113.9", "203.0.113.9 443 203.0.113.9", "0.0.0.0 53 127.0.0.1"}) {
      EXPECT_EQ(world.Run(id, "serve " + any), "by somebody else") << any;
      EXPECT_TRUE(Accept(*network->tcp_v4));
    }
    EXPECT_EQ(world.Run(id, "serve :: 443 2001:db8::1"), "by somebody else");
    EXPECT_TRUE(Accept(*network->tcp_v6));
  });
}

TEST_P(NetworkTest, OtherDatagramsAreRefusedAtOnce) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    EXPECT_EQ(world.Run(id, "ask 203.0.113.9 443"), "refused ECONNREFUSED");
    EXPECT_EQ(world.Run(id, "ask 2001:db8::1 443"), "refused ECONNREFUSED");
    // An answer, which whoever answers might otherwise answer.
    EXPECT_EQ(world.Run(id, "ask_from 8.8.8.8 53 1.1.1.1 53"), "refused ECONNREFUSED");
    EXPECT_TRUE(IsSilent(*network->dns_udp_v4));
    EXPECT_TRUE(IsSilent(*network->dns_udp_v6));
  });
}

TEST_P(NetworkTest, ASandboxIsToldThatItHasItsOwnAddressAndNobodyAnswersPings) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    EXPECT_EQ(world.Run(id, "ping 127.0.0.1"), "answered");
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    EXPECT_EQ(world.Run(id, "own_address 203.0.113.9"), NetworkSockets::kOwnV4);
    EXPECT_EQ(world.Run(id, "own_address 2001:db8::1"), NetworkSockets::kOwnV6);
    EXPECT_EQ(world.Run(id, "ping 203.0.113.9"), "not answered");
  });
}

TEST_P(NetworkTest, WithoutItNothingIsThere) {
  As([](NetworkWorld& world) {
    const SandboxId other = world.Create();
    const auto network = world.Open(other);
    ASSERT_TRUE(network) << network.error().ToString();
    const SandboxId id = world.Create();
    EXPECT_EQ(world.Run(id, "exchange 203.0.113.9 443"), "refused ENETUNREACH");
    EXPECT_THAT(world.Run(id, "exchange 2001:db8::1 80"), StartsWith("refused E"));
    EXPECT_EQ(world.Run(id, "ask 8.8.8.8 53"), "refused ENETUNREACH");
    EXPECT_EQ(world.Run(id, "ask 127.0.0.1 53"), "refused ECONNREFUSED");
    EXPECT_EQ(world.Run(id, "take udp 0.0.0.0 53"), "through");
    EXPECT_TRUE(IsSilent(*network->tcp_v4));
  });
}

TEST_P(NetworkTest, WhenItIsClosedConnectionsAreRefusedUntilItIsOpenedAgain) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    for (int round = 0; round < 3; ++round) {
      const auto network = world.Open(id);
      ASSERT_TRUE(network) << network.error().ToString();
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v4, "203.0.113.9 443"),
                "203.0.113.9 443");
      EXPECT_EQ(world.Open(id).error().code(), ErrorCode::kIllegalState);
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v6, "2001:db8::1 80"),
                "2001:db8::1 80");
      std::string asked;
      EXPECT_EQ(Asks(world, id, *network->dns_udp_v4, "ask 8.8.8.8 53", asked), "answer");
      const Fd hold = *network->hold->Duplicate();
      EXPECT_EQ(world.Open(id).error().code(), ErrorCode::kIllegalState);
    }
    for (const char* to : {"exchange 203.0.113.9 443", "exchange 2001:db8::1 80",
                           "exchange 8.8.8.8 53", "ask 8.8.8.8 53", "ask ::1 53"})
      EXPECT_EQ(world.Run(id, to), "refused ECONNREFUSED") << to;
  });
}

// Whoever holds what steers, and no sockets, has nothing that a connection could go to.
TEST_P(NetworkTest, SocketsThatAreClosedRefuseEvenWhileSteeringIsHeld) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    for (auto* socket : {&network->tcp_v4, &network->tcp_v6, &network->dns_udp_v4}) socket->reset();
    EXPECT_EQ(world.Run(id, "serve 0.0.0.0 443 203.0.113.9"), "refused ECONNREFUSED");
    EXPECT_EQ(world.Run(id, "serve :: 443 2001:db8::1"), "refused ECONNREFUSED");
    EXPECT_EQ(world.Run(id, "ask 8.8.8.8 53"), "refused ECONNREFUSED");
  });
}

TEST_P(NetworkTest, AnotherGuestHasAnotherNetwork) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const auto first = world.Open(id);
    ASSERT_TRUE(first) << first.error().ToString();
    ASSERT_TRUE(world.launcher().Reset(id));
    EXPECT_EQ(world.Run(id, "exchange 203.0.113.9 443"), "refused ENETUNREACH");
    const auto second = world.Open(id);
    ASSERT_TRUE(second) << second.error().ToString();
    EXPECT_EQ(Connects(world, id, *second, *second->tcp_v4, "203.0.113.9 443"), "203.0.113.9 443");
    EXPECT_TRUE(IsSilent(*first->tcp_v4));
    if (GetParam() != Caller::kRoot) return;  // an ordinary user's sandboxes are not stopped
    ASSERT_TRUE(world.launcher().Stop(id));
    EXPECT_EQ(world.Open(id).error().code(), ErrorCode::kIllegalState);
    ASSERT_TRUE(world.launcher().Start(id));
    const auto third = world.Open(id);
    ASSERT_TRUE(third) << third.error().ToString();
    EXPECT_EQ(Connects(world, id, *third, *third->tcp_v6, "2001:db8::1 80"), "2001:db8::1 80");
  });
}

TEST_P(NetworkTest, ProgramsThatHaveItsPortsKeepItFromNothingThatIsNotSaid) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    ProcessStream of_tcp = world.Start(id, "hold tcp 0.0.0.0 61853");
    NetworkWorld::AwaitLine(of_tcp, "ready");
    {
      const auto network = world.Open(id);
      ASSERT_TRUE(network) << network.error().ToString();
      EXPECT_NE(engine::native::PortOf(*network->tcp_v4), 61853);
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v4, "203.0.113.9 443"),
                "203.0.113.9 443");
    }
    ProcessStream of_udp = world.Start(id, "hold udp 0.0.0.0 53");
    NetworkWorld::AwaitLine(of_udp, "ready");
    const auto network = world.Open(id);
    if (network) {
      EXPECT_EQ(network->steering, Steering::kRedirect);
    } else {
      EXPECT_EQ(network.error().code(), ErrorCode::kIllegalState);
      EXPECT_THAT(network.error().message(), HasSubstr("UDP port 53"));
    }
  });
}

TEST_P(NetworkTest, OpenedAHundredTimesItLeavesNothing) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    ASSERT_TRUE(world.Open(id));
    while (world.launcher().DoIdleWork()) {
    }
    const size_t before = OpenDescriptors();
    for (int i = 0; i < 100; ++i) {
      const auto network = world.Open(id);
      ASSERT_TRUE(network) << network.error().ToString();
    }
    while (world.launcher().DoIdleWork()) {
    }
    EXPECT_EQ(OpenDescriptors(), before);
  });
}

TEST_P(NetworkTest, WhereverItFailsNothingIsOpenAndItCanBeTriedAgain) {
  As([](NetworkWorld& world) {
    const SandboxId id = world.Create();
    const size_t before = OpenDescriptors();
    int failed = 0;
    constexpr int kMaxCalls = 100;
    for (int nth = 0; nth < kMaxCalls; ++nth) {
      auto network = [&] {
        const sys::ScopedFault fault(sys::Call::kCount, EIO, nth);
        return world.Open(id);
      }();
      if (network) break;
      ++failed;
      EXPECT_EQ(network.error().sys_errno(), EIO) << network.error().ToString();
      EXPECT_EQ(OpenDescriptors(), before) << network.error().ToString();
      EXPECT_THAT(world.Run(id, "exchange 203.0.113.9 443"), StartsWith("refused E"));
    }
    EXPECT_GT(failed, 4);
    EXPECT_LT(failed, kMaxCalls);
    const auto network = world.Open(id);
    ASSERT_TRUE(network) << network.error().ToString();
    EXPECT_EQ(Connects(world, id, *network, *network->tcp_v4, "203.0.113.9 443"),
              "203.0.113.9 443");
  });
}

// The calls of bpf(2), of which any may be the one that is refused.
TEST_P(NetworkTest, WhereBpfIsRefusedConnectionsAreRedirected) {
  As([](NetworkWorld& world) {
    if (GetParam() != Caller::kRoot) return;  // whose every call of bpf(2) is refused
    const SandboxId id = world.Create();
    const auto usual = world.Open(id);
    ASSERT_TRUE(usual) << usual.error().ToString();
    if (usual->steering != Steering::kLookup) GTEST_SKIP() << "this root has no CAP_BPF";
    for (const int nth : {0, 1, 2, 7}) {
      const SandboxId other = world.Create();
      const sys::ScopedFault fault(sys::Call::kBpf, EPERM, nth);
      const auto network = world.Open(other);
      ASSERT_TRUE(network) << network.error().ToString();
      EXPECT_TRUE(fault.fired());
      EXPECT_EQ(network->steering, Steering::kRedirect);
      EXPECT_EQ(Connects(world, other, *network, *network->tcp_v4, "203.0.113.9 443"),
                "203.0.113.9 443");
    }
  });
}

// After the first the launcher has what steers ready, made in a moment without requests.
TEST_P(NetworkTest, TheNextIsAsTheFirst) {
  As([](NetworkWorld& world) {
    for (int i = 0; i < 3; ++i) {
      const SandboxId id = world.Create();
      const auto network = world.Open(id);
      ASSERT_TRUE(network) << network.error().ToString();
      EXPECT_EQ(Connects(world, id, *network, *network->tcp_v4, "203.0.113.9 443"),
                "203.0.113.9 443");
    }
  });
}

// Which the kernel says only when it is asked to: the program is loaded once more for it.
TEST_P(NetworkTest, WhatTheVerifierSaysIsInTheError) {
  As([](NetworkWorld& world) {
    if (GetParam() != Caller::kRoot) return;
    const SandboxId id = world.Create();
    if (world.Open(id).value().steering != Steering::kLookup)
      GTEST_SKIP() << "this root has no CAP_BPF";
    constexpr int kLoad = 2;  // after a question and the map
    const sys::ScopedFault fault(sys::Call::kBpf, EACCES, kLoad);
    const auto network = world.Open(id);
    ASSERT_FALSE(network);
    EXPECT_EQ(network.error().sys_errno(), EACCES);
    EXPECT_THAT(network.error().message(), HasSubstr("loading the BPF program"));
    EXPECT_THAT(network.error().message(), HasSubstr("processed"));
  });
}

TEST_P(NetworkTest, AGuestInTheMachinesOwnNetworkIsNone) {
  As([](NetworkWorld&) {
    if (GetParam() != Caller::kRoot) return;
    ASSERT_EQ(::unshare(CLONE_NEWNET), 0);  // which stands for the machine's
    const auto pool = engine::native::NetnsPool::Open(0);
    const auto self = sys::PidfdOpen(::getpid());
    ASSERT_TRUE(pool && self);
    const auto network = engine::native::OpenNetwork(*self, &*pool);
    ASSERT_FALSE(network);
    EXPECT_EQ(network.error().code(), ErrorCode::kInternal);
  });
}

void BringUp(const char* interface) {
  const int raw = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(raw, 0);
  const Fd socket = Fd::Adopt(raw);
  ifreq request{};
  std::strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
  request.ifr_flags = IFF_UP;
  ASSERT_EQ(::ioctl(raw, SIOCSIFFLAGS, &request), 0);
}

// In network namespaces of their own, whatever becomes of it.
TEST(NetworkOfNoSandbox, WhoMaySteerInNoWayIsToldWhyNotOfEach) {
  InChild([] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) GTEST_SKIP() << "no user namespaces here";
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> none{};
    ASSERT_EQ(::syscall(SYS_capset, &header, none.data()), 0);
    const auto network = engine::native::OpenNetworkHere();
    ASSERT_FALSE(network);
    EXPECT_EQ(network.error().code(), ErrorCode::kNotSupported);
    EXPECT_THAT(network.error().message(), HasSubstr("BPF"));
    EXPECT_THAT(network.error().message(), HasSubstr("nftables"));
  });
}

TEST(NetworkOfNoSandbox, WithoutIpv6ThereAreOnlySocketsOfIpv4) {
  InChild([] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) GTEST_SKIP() << "no user namespaces here";
    const auto setting = sys::OpenAt(AT_FDCWD, "/proc/sys/net/ipv6/conf/lo/disable_ipv6", O_WRONLY);
    if (setting) {
      ASSERT_TRUE(sys::Write(*setting, "1", "no IPv6"));
    }
    BringUp("lo");
    const auto network = engine::native::OpenNetworkHere();
    if (!network && network.error().code() == ErrorCode::kNotSupported)
      GTEST_SKIP() << network.error().ToString();
    ASSERT_TRUE(network) << network.error().ToString();
    EXPECT_TRUE(network->tcp_v4 && network->dns_udp_v4 && network->hold);
    EXPECT_FALSE(network->tcp_v6 || network->dns_udp_v6);
  });
}

TEST(NetworkOfNoSandbox, OneThatLeadsSomewhereStaysAsItIs) {
  InChild([] {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) GTEST_SKIP() << "no user namespaces here";
    const int tun = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (tun < 0) GTEST_SKIP() << "no interface can be made here";
    const Fd owner = Fd::Adopt(tun);
    ifreq request{};
    request.ifr_flags = IFF_TUN;
    ASSERT_EQ(::ioctl(tun, TUNSETIFF, &request), 0);
    EXPECT_TRUE(engine::native::CheckLeadsNowhere()) << "it is down";
    BringUp(request.ifr_name);
    const auto network = engine::native::OpenNetworkHere();
    ASSERT_FALSE(network);
    EXPECT_EQ(network.error().code(), ErrorCode::kInternal);
  });
}

}  // namespace
}  // namespace cay::testing
