#include "engine/native/spawn/netns.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <set>
#include <string>

#include "base/os/reap.h"
#include "base/os/sys.h"
#include "engine/native/network/open_network.h"

namespace cay::engine::native {
namespace {

// The children of this process: the pool's worker, or nobody.
std::set<pid_t> Children() {
  std::set<pid_t> children;
  std::ifstream file("/proc/thread-self/children");
  for (pid_t child = 0; file >> child;) children.insert(child);
  return children;
}

ino_t NumberOf(const Fd& netns) {
  struct stat info{};
  EXPECT_EQ(::fstat(netns.get(), &info), 0);
  return info.st_ino;
}

ino_t OwnNumber() {
  struct stat info{};
  EXPECT_EQ(::stat("/proc/thread-self/ns/net", &info), 0);
  return info.st_ino;
}

bool Connects(const char* address, uint16_t port) {
  const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, address, &to.sin_addr), 1);
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
}

class NetnsPoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  }
  void TearDown() override {
    for (int tries = 0; tries < 1000 && ReapStrays() > 0; ++tries) ::usleep(5000);
    EXPECT_TRUE(Children().empty()) << "a worker that does not end with its pool";
  }

  // Until all that was ordered has come.
  static void AwaitReady(NetnsPool& pool, size_t count) {
    for (int tries = 0; tries < 1000 && pool.ready() < count; ++tries) {
      ASSERT_TRUE(pool.Order());
      ::usleep(5000);
    }
    ASSERT_EQ(pool.ready(), count);
  }
};

TEST_F(NetnsPoolTest, TheWorkersAreFreshAndEachIsGivenOnce) {
  const ino_t own = OwnNumber();
  auto pool = NetnsPool::Open(2);
  ASSERT_TRUE(pool);
  ASSERT_NO_FATAL_FAILURE(AwaitReady(*pool, 2));
  std::set<ino_t> seen = {own};
  for (int i = 0; i < 4; ++i) {  // two of the worker's, and two that are made here
    const auto taken = pool->Take();
    ASSERT_TRUE(taken) << taken.error().ToString();
    EXPECT_TRUE(seen.insert(NumberOf(taken->fd)).second);
    EXPECT_TRUE(pool->Inside(taken->fd, [] {
      EXPECT_TRUE(::access("/proc/thread-self/net/dev", R_OK) == 0);
      return Result<void>{};
    }));
    EXPECT_EQ(OwnNumber(), own);
  }
}

TEST_F(NetnsPoolTest, WhoFindsNoneHasMoreMadeUpToABoundAndARestTakesThemBack) {
  auto pool = NetnsPool::Open(1);
  ASSERT_TRUE(pool);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pool->Take());
  ASSERT_NO_FATAL_FAILURE(AwaitReady(*pool, 4));
  pool->Shrink();
  EXPECT_EQ(pool->ready(), 1U);
  ASSERT_TRUE(pool->Order());
  EXPECT_EQ(pool->ready(), 1U);
}

TEST_F(NetnsPoolTest, OneThatWantsNoneHasNoWorker) {
  auto pool = NetnsPool::Open(0);
  ASSERT_TRUE(pool);
  EXPECT_TRUE(pool->Take());
  EXPECT_TRUE(pool->Order());
  EXPECT_EQ(pool->ready(), 0U);
  EXPECT_TRUE(Children().empty());
}

TEST_F(NetnsPoolTest, OneOfOpenNetworksGivesThemWithTheirSockets) {
  auto pool = PoolOfOpenNetworks(1);
  ASSERT_TRUE(pool);
  EXPECT_FALSE(pool->TakeReady()) << "nothing was ordered";
  ASSERT_NO_FATAL_FAILURE(AwaitReady(*pool, 2));  // who found none has one more made
  std::optional<Netns> taken = pool->TakeReady();
  ASSERT_TRUE(taken);
  const auto sockets = TakeNetwork(std::move(taken->furniture));
  ASSERT_TRUE(sockets) << sockets.error().ToString();
  ASSERT_TRUE(sockets->tcp_v4 && sockets->dns_udp_v4 && sockets->hold);
  // Whoever is inside and connects to any address comes to the socket.
  EXPECT_TRUE(pool->Inside(taken->fd, [] {
    EXPECT_TRUE(Connects("203.0.113.9", 443));
    return Result<void>{};
  }));
  EXPECT_GE(Fd::Adopt(::accept4(sockets->tcp_v4->get(), nullptr, nullptr, SOCK_CLOEXEC)).get(), 0);
  std::optional<Netns> other = pool->TakeReady();
  ASSERT_TRUE(other);
  EXPECT_NE(NumberOf(other->fd), NumberOf(taken->fd));
  EXPECT_FALSE(TakeNetwork({.text = other->furniture.text})) << "without its sockets";
}

TEST_F(NetnsPoolTest, AWorkerThatDiesOrHangsIsNoneAndIsReplaced) {
  auto pool = NetnsPool::Open(1);
  ASSERT_TRUE(pool);
  for (const int signal : {SIGSTOP, SIGKILL}) {
    ASSERT_NO_FATAL_FAILURE(AwaitReady(*pool, 1));
    const std::set<pid_t> worker = Children();
    ASSERT_EQ(worker.size(), 1U);
    ASSERT_EQ(::kill(*worker.begin(), signal), 0);
    EXPECT_TRUE(pool->Take()) << "the one that was ready";
    (void)pool->Order();
    EXPECT_TRUE(pool->Take()) << "one that is made here";
    (void)::kill(*worker.begin(), SIGCONT);
    pool->Shrink();
  }
  ASSERT_NO_FATAL_FAILURE(AwaitReady(*pool, 1));
}

}  // namespace
}  // namespace cay::engine::native
