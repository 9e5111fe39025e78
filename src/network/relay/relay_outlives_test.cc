// A relay whose controller ends: what it goes on with, whom it waits for, and when it ends itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <future>
#include <thread>

#include "base/os/sys.h"
#include "base/testing/test_eventually.h"
#include "network/link/relay_link.h"
#include "network/relay/relay.h"

namespace cay::network {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

struct Bound {
  Fd socket;
  uint16_t port = 0;
};

Bound OnLoopback(int type) {
  Fd socket = Fd::Adopt(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(socket.get(), name, size), 0);
  if (type == SOCK_STREAM) {
    EXPECT_EQ(::listen(socket.get(), 16), 0);
  }
  EXPECT_EQ(::getsockname(socket.get(), name, &size), 0);
  return {std::move(socket), ntohs(address.sin_port)};
}

SandboxId IdOf(int number) {
  std::string text = std::to_string(number);
  return *SandboxId::Parse(std::string(SandboxId::kLength - text.size(), 'a') + text);
}

// Each relay is a thread of the test; its door is in a directory of the test's.
class RelayOutlives : public ::testing::Test {
 protected:
  RelayOutlives() {
    directory_ = ::testing::TempDir() + "cay-relay-XXXXXX";
    if (::mkdtemp(directory_.data()) == nullptr) std::abort();
  }
  ~RelayOutlives() override {
    link_.reset();
    std::filesystem::remove_all(directory_);  // which ends it, too
    if (thread_.joinable()) thread_.join();
  }

  void Start(bool with_a_door = true) {
    auto pair = MakeSocketPair(SOCK_SEQPACKET);
    ASSERT_TRUE(pair);
    std::optional<Door> door;
    if (with_a_door) {
      auto made = MakeDoor(directory_);
      ASSERT_TRUE(made) << made.error().ToString();
      ASSERT_TRUE(network::Listen(*made));
      door = *std::move(made);
    }
    link_ = std::make_unique<RelayLink>(std::move(pair->first));
    thread_ =
        std::thread([this, control = std::move(pair->second), door = std::move(door)]() mutable {
          auto relay = Relay::Create(std::move(control), std::move(door));
          if (relay) (void)(*relay)->Run();
          relay = Failure(Error::Invalid("over"));
          ended_ = true;
        });
    ASSERT_TRUE(link_->Hello(greeting_));
  }

  struct Network {
    uint16_t port = 0;
    std::optional<Fd> guest{};  // which lives as long as this is open
  };
  Network Open(const SandboxId& id, bool with_its_guest = true) {
    Network network;
    Bound tcp = OnLoopback(SOCK_STREAM);
    network.port = tcp.port;
    Sockets sockets;
    sockets.tcp_v4 = std::move(tcp.socket);
    sockets.dns_udp_v4 = OnLoopback(SOCK_DGRAM).socket;
    if (with_its_guest) {
      auto pipe = MakePipe();
      sockets.guest = std::move(pipe->read);
      network.guest = std::move(pipe->write);
    }
    const auto opened = link_->Open(id, {.version = 7}, std::move(sockets));
    EXPECT_TRUE(opened) << opened.error().ToString();
    return network;
  }

  // Whether a program inside is answered by the relay: it is let in, and refused.
  static bool Knock(uint16_t port) {
    const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
      return false;
    // Where the listening socket is closed while the handshake's last packet is under way, this end
    // is connected to nobody, which the kernel tells it when it says something.
    char byte = 0;
    (void)::send(socket.get(), &byte, 1, MSG_NOSIGNAL);
    EXPECT_LE(::recv(socket.get(), &byte, 1, 0), 0);
    return true;
  }

  void EndController() { link_.reset(); }
  // The next controller, which has not said anything yet.
  void Find() {
    auto found = KnockAtDoor(directory_);
    ASSERT_TRUE(found) << found.error().ToString();
    ASSERT_TRUE(*found);
    EXPECT_EQ((*found)->pid, ::getpid());
    link_ = std::make_unique<RelayLink>(std::move((*found)->control));
  }
  size_t CountListed() {
    const auto networks = link_->List();
    EXPECT_TRUE(networks);
    return networks ? networks->size() : 0;
  }
  bool IsNobodyThere() {
    const auto found = KnockAtDoor(directory_);
    return found && !*found;
  }
  bool Ends() {
    return Eventually([this] { return ended_.load(); });
  }
  bool Closes(uint16_t port) {
    return Eventually([port] { return !Knock(port); });
  }

  std::string directory_;
  HelloRequest greeting_{.resolvers = {"127.0.0.1:1"}, .news = true};
  std::unique_ptr<RelayLink> link_;
  std::thread thread_;
  std::atomic<bool> ended_ = false;
};

TEST_F(RelayOutlives, WithoutADoorItEndsWithItsController) {
  Start(false);
  const Network network = Open(IdOf(1));
  EXPECT_TRUE(Knock(network.port));
  EXPECT_TRUE(IsNobodyThere());
  EndController();
  EXPECT_TRUE(Ends());
  EXPECT_FALSE(Knock(network.port));
}

TEST_F(RelayOutlives, TheNextControllerFindsItsNetworksAndItsFlows) {
  Start();
  const SandboxId id = IdOf(1);
  const Network network = Open(id);
  EXPECT_TRUE(Knock(network.port));
  const auto before = link_->FlowsAfter(id, 0);
  ASSERT_TRUE(before);
  ASSERT_THAT(before->flows, SizeIs(1));
  EndController();
  EXPECT_TRUE(Knock(network.port)) << "it is served";
  Find();
  ASSERT_TRUE(link_->Hello(greeting_));
  const auto networks = link_->List();
  ASSERT_TRUE(networks) << networks.error().ToString();
  ASSERT_THAT(*networks, SizeIs(1));
  const Networks::Entry& entry = networks->front();
  EXPECT_EQ(entry.sandbox, id.text());
  EXPECT_EQ(entry.version, 7U);
  EXPECT_EQ(entry.first_flow, 1U);
  EXPECT_EQ(entry.told_flow, 1U);
  EXPECT_EQ(entry.told.denied, 1U);
  const auto after = link_->FlowsAfter(id, 1);
  ASSERT_TRUE(after);
  ASSERT_THAT(after->flows, SizeIs(1));
  EXPECT_EQ(after->first, 2U);
  EXPECT_EQ(after->counts.denied, 2U);
}

TEST_F(RelayOutlives, ItHasNewsForTheNextController) {
  Start();
  const SandboxId id = IdOf(1);
  const Network network = Open(id);
  EXPECT_TRUE(Knock(network.port));
  EndController();
  Find();
  ASSERT_TRUE(link_->Hello(greeting_));
  EXPECT_TRUE(Knock(network.port));
  const auto never = MakePipe();
  const auto news = link_->AwaitNews(never->read.get(), Millis(20'000));
  ASSERT_TRUE(news);
  EXPECT_THAT(*news, ElementsAre(id.text()));
}

TEST_F(RelayOutlives, OneControllerAfterTheOther) {
  Start();
  const Network network = Open(IdOf(1));
  for (int i = 0; i < 5; ++i) {
    EndController();
    Find();
    ASSERT_TRUE(link_->Hello(greeting_));
    EXPECT_EQ(CountListed(), 1U);
    EXPECT_TRUE(Knock(network.port));
  }
}

TEST_F(RelayOutlives, WhileThereIsAControllerNobodyElseIsHeard) {
  Start();
  const Network network = Open(IdOf(1));
  auto other = KnockAtDoor(directory_);
  ASSERT_TRUE(other && *other);
  const int socket = (*other)->control.get();
  RelayLink next(std::move((*other)->control));
  auto greeted = std::async(std::launch::async, [&] { return next.Hello(greeting_); });
  pollfd poller{.fd = socket, .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poller, 1, 100), 0);
  EXPECT_EQ(CountListed(), 1U) << "the first one is served";
  EndController();
  EXPECT_TRUE(greeted.get());
}

TEST_F(RelayOutlives, ANetworkEndsWithItsGuestAndTheRelayWithTheLast) {
  Start();
  Network one = Open(IdOf(1));
  Network two = Open(IdOf(2));
  one.guest.reset();
  EXPECT_TRUE(Knock(one.port)) << "its controller closes it";
  EndController();
  EXPECT_TRUE(Closes(one.port));
  EXPECT_TRUE(Knock(two.port));
  two.guest.reset();
  EXPECT_TRUE(Ends());
  EXPECT_FALSE(Knock(two.port));
  EXPECT_TRUE(IsNobodyThere());
}

TEST_F(RelayOutlives, WhoseGuestIsNotKnownEndsWithTheController) {
  Start();
  const Network known = Open(IdOf(1));
  const Network unknown = Open(IdOf(2), false);
  EndController();
  EXPECT_TRUE(Closes(unknown.port));
  EXPECT_TRUE(Knock(known.port));
}

TEST_F(RelayOutlives, WithoutNetworksItEnds) {
  Start();
  EndController();
  EXPECT_TRUE(Ends());
}

TEST_F(RelayOutlives, OneThatNobodyCanFindEnds) {
  Start();
  const Network network = Open(IdOf(1));
  EndController();
  EXPECT_TRUE(Knock(network.port));
  std::filesystem::remove_all(directory_);
  EXPECT_TRUE(Ends());
  EXPECT_FALSE(Knock(network.port));
}

TEST_F(RelayOutlives, OneWhoseNameAnotherHasEnds) {
  Start();
  const Network network = Open(IdOf(1));
  EndController();
  const auto other = MakeDoor(directory_);
  ASSERT_TRUE(other);
  EXPECT_TRUE(Ends());
  EXPECT_TRUE(IsNobodyThere()) << "nobody listens at the new one";
}

TEST_F(RelayOutlives, AnotherGreetingOrAnotherVersionIsRefusedAndChangesNothing) {
  Start();
  const Network network = Open(IdOf(1));
  EndController();
  Find();
  HelloRequest other = greeting_;
  other.version = kLinkVersion + 1;
  EXPECT_EQ(link_->Hello(other).error().code(), ErrorCode::kNotSupported);
  for (const auto& change : std::vector<std::function<void(HelloRequest&)>>{
           [](HelloRequest& hello) { hello.resolvers = {"127.0.0.1:2"}; },
           [](HelloRequest& hello) { hello.proxy = "http://127.0.0.1:3128"; },
           [](HelloRequest& hello) { hello.no_proxy = {"example.com"}; }}) {
    other = greeting_;
    change(other);
    EXPECT_EQ(link_->Hello(other).error().code(), ErrorCode::kIllegalState);
  }
  other = greeting_;
  other.news = false;
  EXPECT_TRUE(link_->Hello(other)) << "news are each controller's own";
  EXPECT_TRUE(Knock(network.port));
}

// Two sockets, between which bytes are moved: a published port's.
TEST_F(RelayOutlives, WhatIsRelayedGoesOnAndKeepsItAlive) {
  Start();
  auto outside = MakeSocketPair(SOCK_STREAM);
  auto inside = MakeSocketPair(SOCK_STREAM);
  ASSERT_TRUE(outside && inside);
  std::optional<Fd> caller(std::move(outside->first));
  std::optional<Fd> server(std::move(inside->first));
  {
    const Fd one = std::move(outside->second);
    const Fd other = std::move(inside->second);
    const RelayOrder order{.sandbox = IdOf(1).text(), .connections = 1, .idle_seconds = 3600};
    ASSERT_TRUE(link_->Relay(order, one, other));
    ASSERT_TRUE(link_->List()) << "it has taken them";
  }
  EndController();
  EXPECT_FALSE(Eventually([this] { return ended_.load(); }, 2 * Relay::kLook));
  ASSERT_EQ(::send(caller->get(), "ping", 4, MSG_NOSIGNAL), 4);
  std::array<char, 4> got{};
  ASSERT_EQ(::recv(server->get(), got.data(), got.size(), MSG_WAITALL), 4);
  caller.reset();
  server.reset();
  EXPECT_TRUE(Ends());
}

TEST_F(RelayOutlives, MoreNetworksThanAPacketHolds) {
  Start();
  std::vector<Network> networks;
  constexpr int kMany = kMaxNetworksAtOnce + 3;
  for (int i = 0; i < kMany; ++i) networks.push_back(Open(IdOf(i)));
  const auto all = link_->List();
  ASSERT_TRUE(all) << all.error().ToString();
  EXPECT_THAT(*all, SizeIs(kMany));
}

TEST_F(RelayOutlives, ItsDoorIsItsOwnersAlone) {
  Start();
  struct stat directory{};
  struct stat socket{};
  ASSERT_EQ(::stat((directory_ + "/relay").c_str(), &directory), 0);
  ASSERT_EQ(::stat((directory_ + "/relay/socket").c_str(), &socket), 0);
  EXPECT_EQ(directory.st_mode & 07777, 0700U);
  EXPECT_EQ(socket.st_mode & 07777, 0600U);
  ASSERT_EQ(::chmod((directory_ + "/relay").c_str(), 0755), 0);
  EXPECT_EQ(MakeDoor(directory_).error().code(), ErrorCode::kPermissionDenied);
}

// Whatever the modes of the files say.
TEST_F(RelayOutlives, AnotherUserIsNotLetIn) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  Start();
  const Network network = Open(IdOf(1));
  EndController();
  const std::string path = directory_ + "/relay/socket";
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod((directory_ + "/relay").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
  const pid_t other = ::fork();
  if (other == 0) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
    const int socket = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
    char byte = 0;
    const bool refused =
        ::setresuid(65534, 65534, 65534) == 0 &&
        ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::recv(socket, &byte, 1, 0) <= 0;
    ::_exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
  Find();
  EXPECT_TRUE(link_->Hello(greeting_)) << "the next one is";
}

TEST_F(RelayOutlives, ADoorThatCannotBeMadeIsAnError) {
  const sys::ScopedFault fault(sys::Call::kBind, EADDRINUSE);
  EXPECT_FALSE(MakeDoor(directory_));
  EXPECT_FALSE(MakeDoor(directory_ + "/nowhere"));
}

TEST(PeerDials, WithoutAControllerTheyFailAtOnce) {
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  Deadlines deadlines(*loop);
  PeerDials dials(deadlines, [](const DialRequest&) { return Result<void>(); });
  std::vector<std::string> said;
  const auto done = [&](const Result<Fd>& socket) { said.push_back(socket.error().message()); };
  const auto one = dials.Dial("a", "b", 80, done);
  auto two = dials.Dial("a", "b", 81, done);
  two.Cancel();
  dials.FailAll(Error(ErrorCode::kUnavailable, Fault::kMachine, "nobody is there"));
  EXPECT_THAT(said, ElementsAre("nobody is there"));
}

}  // namespace
}  // namespace cay::network
