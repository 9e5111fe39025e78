// The warm pool on the real engine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <chrono>
#include <set>
#include <thread>

#include "base/os/sys.h"
#include "manager_fixture.h"

namespace cay::sandbox {
namespace {

class PoolTest : public ManagerTest {
 protected:
  void Configure(size_t minimum, size_t maximum, Millis shrink_after = Millis(60'000)) {
    options_.pools = {{.template_name = "host",
                       .limits = options_.default_limits,
                       .minimum = minimum,
                       .maximum = maximum,
                       .shrink_after = shrink_after}};
    manager().Reconfigure(options_);
  }
  PoolStatus Status() { return manager().Metrics().pools.at(0); }
  // Whether so many are ready, in the end.
  bool AwaitReady(size_t count) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (Status().ready != count && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(Millis(5));
    return Status().ready == count;
  }
};

TEST_F(PoolTest, WhatFitsIsClaimedAndTheSpecIsItsOwn) {
  Configure(2, 2);
  ASSERT_TRUE(AwaitReady(2));
  const SandboxView made = Create({.name = "mine", .env = {{"A", "b"}}, .workdir = "/tmp"});
  EXPECT_TRUE(made.from_pool);
  EXPECT_EQ(Run("mine", "echo $A $PWD"), "b /tmp\n[0]");
  EXPECT_EQ(Status().claimed, 1U);
  EXPECT_TRUE(AwaitReady(2));
  EXPECT_EQ(manager().Metrics().create_pooled.count, 1U);
}

TEST_F(PoolTest, WhatDoesNotFitIsMadeAnew) {
  Configure(1, 1);
  ASSERT_TRUE(AwaitReady(1));
  EXPECT_FALSE(Create({.memory = 64 * kMiB}).from_pool);
  EXPECT_FALSE(Create({.hostname = "other"}).from_pool);
  EXPECT_FALSE(Create({.tmpfs = {{"/data", kMiB}}}).from_pool);
  EXPECT_FALSE(Create({.noexec = true}).from_pool);
  EXPECT_FALSE(Create({.project = "p"}).from_pool);
  EXPECT_EQ(Status().claimed, 0U);
}

TEST_F(PoolTest, NoneIsGivenOutTwice) {
  Configure(3, 3);
  std::set<std::string> ids;
  for (int i = 0; i < 9; ++i) {
    const std::string id = Create().id.text();
    EXPECT_TRUE(ids.insert(id).second);
    ASSERT_TRUE(manager().Destroy(me_, id, "requested"));
  }
}

TEST_F(PoolTest, ItGrowsWithMissesAndShrinksWhenNobodyAsks) {
  Configure(0, 4, Millis(2000));
  EXPECT_FALSE(Create().from_pool);
  EXPECT_TRUE(AwaitReady(2));
  Create();
  Create();
  Create();
  EXPECT_GT(Status().missed, 0U);
  EXPECT_LE(Status().ready, 4U);
  EXPECT_TRUE(AwaitReady(0));
}

TEST_F(PoolTest, AMemberThatDiedIsNotGivenOut) {
  Configure(1, 1);
  ASSERT_TRUE(AwaitReady(1));
  const auto list = server_.engine->List();
  ASSERT_EQ(list->size(), 1U);
  const SandboxId member = list->at(0).id;
  const auto watch = server_.engine->Watch(member);
  ASSERT_TRUE(watch);
  ASSERT_TRUE(sys::PidfdSendSignal(*watch, SIGKILL));
  pollfd poller{.fd = watch->get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&poller, 1, 10'000), 1);
  const SandboxView made = Create();
  EXPECT_NE(made.id, member);
  EXPECT_EQ(Run(made.id.text(), "true"), "[0]");
  EXPECT_TRUE(AwaitReady(1));
  EXPECT_EQ(Status().discarded, 1U);
}

TEST_F(PoolTest, MembersCountForTheServerAndGiveWayToWhatIsAskedFor) {
  options_.max_sandboxes = 2;
  Configure(2, 2);
  ASSERT_TRUE(AwaitReady(2));
  EXPECT_FALSE(Create({.hostname = "a"}).from_pool);
  EXPECT_FALSE(Create({.hostname = "b"}).from_pool);
  EXPECT_EQ(manager().Create(me_, {}).error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(AwaitInEngine(2), 2U);
}

TEST_F(PoolTest, APoolThatIsNoLongerConfiguredIsEmptied) {
  Configure(2, 2);
  ASSERT_TRUE(AwaitReady(2));
  options_.pools.clear();
  manager().Reconfigure(options_);
  EXPECT_EQ(AwaitInEngine(0), 0U);
}

TEST_F(PoolTest, DrainLeavesNoMember) {
  Configure(3, 3);
  ASSERT_TRUE(AwaitReady(3));
  manager().Drain(Millis(1000));
  EXPECT_EQ(AwaitInEngine(0), 0U);
}

}  // namespace
}  // namespace cay::sandbox
