// Pools whose engine fails, whose members end, and whose time is the test's.
#include "sandbox/lifecycle/pool.h"

#include "lifecycle_fixture.h"

namespace cay::sandbox {
namespace {

using engine::ExitReason;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class PoolTest : public LifecycleTest {
 protected:
  void TearDown() override {
    pools().Drain();
    EXPECT_EQ(Take(), Standings{});
  }
  Pools& pools() { return heart_->pools; }
  PoolStatus Status() { return pools().Status().at(0); }
  void Configure(size_t minimum, size_t maximum) {
    pools().Configure({{.template_name = "small",
                        .limits = options_.default_limits,
                        .minimum = minimum,
                        .maximum = maximum}});
  }
  bool AwaitReady(size_t count) {
    return Eventually([&] { return Status().ready == count && Status().making == 0; });
  }
  std::optional<PoolMember> Claim() {
    const auto base = core().templates.Find("small");
    return base ? pools().Claim(*base, options_.default_limits) : std::nullopt;
  }
  // As its owner's end does, of one that was admitted by the pool.
  void Return(PoolMember member) {
    EXPECT_TRUE(engine_->Destroy(member.id));
    core().admission.ReleasePooled(HoldingOf(options_.default_limits));
  }
};

TEST_F(PoolTest, MembersAreCountedAndNobodys) {
  Configure(2, 2);
  ASSERT_TRUE(AwaitReady(2));
  const Standings now = Take();
  EXPECT_EQ(now.admitted, 2U);
  EXPECT_THAT(now.owners, IsEmpty());
  EXPECT_THAT(now.registered, IsEmpty());
  EXPECT_THAT(now.rows, IsEmpty());
  EXPECT_EQ(now.memory, 2 * options_.default_limits.memory);
}

TEST_F(PoolTest, WhatCannotBeMadeIsNotCountedAndTriedAgainInTime) {
  engine_->Fail(Call::kCreate, Broken());
  Configure(1, 1);
  ASSERT_TRUE(Eventually([&] { return !Status().last_error.empty(); }));
  EXPECT_EQ(Status().ready, 0U);
  EXPECT_EQ(Take(), Standings{});
  // Its time has not come, however often it is looked.
  for (int i = 0; i < 3; ++i) const Pools::Foreground foreground(pools());
  EXPECT_EQ(engine_->calls(Call::kCreate), 1U);
  clock_.Advance(Millis(60'000));
  ASSERT_TRUE(AwaitReady(1));
  EXPECT_EQ(Status().last_error, "");
}

TEST_F(PoolTest, AMemberWhoseGuestIsGoneIsGivenToNobody) {
  Configure(1, 1);
  ASSERT_TRUE(AwaitReady(1));
  const std::string dead = Take().engine.begin()->first;
  engine_->EndGuest(*SandboxId::Parse(dead), {.reason = ExitReason::kOomKilled});
  if (auto claimed = Claim()) {
    EXPECT_NE(claimed->id.text(), dead);
    Return(*std::move(claimed));
  }
  ASSERT_TRUE(Eventually([&] { return !Take().engine.contains(dead); }));
  clock_.Advance(Millis(60'000));
  ASSERT_TRUE(AwaitReady(1));
  EXPECT_EQ(Take().admitted, 1U);
}

TEST_F(PoolTest, WhatIsEvictedMakesRoomEvenWhereItCannotBeDestroyed) {
  Configure(1, 1);
  ASSERT_TRUE(AwaitReady(1));
  EXPECT_TRUE(pools().EvictOne());
  EXPECT_EQ(Take(), Standings{});
  EXPECT_FALSE(pools().EvictOne());
  clock_.Advance(Millis(60'000));
  ASSERT_TRUE(AwaitReady(1));
  engine_->Fail(Call::kDestroy, Broken());
  EXPECT_TRUE(pools().EvictOne());
  Standings left = Take();
  EXPECT_THAT(left.engine, SizeIs(1));
  EXPECT_EQ(left.admitted, 0U);
  // Nobody was promised it: the next server removes it.
  const auto report = Restart();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->removed, 1U);
}

TEST_F(PoolTest, WhereThereIsNoPlaceNoneIsMade) {
  options_.max_sandboxes = 1;
  core().SetOptions(options_);
  Create();
  const Standings before = Take();
  Configure(1, 1);
  ASSERT_TRUE(Eventually([&] { return !Status().last_error.empty(); }));
  EXPECT_EQ(Take(), before);
  EXPECT_EQ(engine_->calls(Call::kCreate), 1U);
  ASSERT_TRUE(transitions().Destroy(Get(core().registry.All().at(0)->id()), "requested"));
}

TEST_F(PoolTest, ACreateThatFindsNoPlaceTakesAMembers) {
  options_.max_sandboxes = 1;
  core().SetOptions(options_);
  Configure(1, 1);
  ASSERT_TRUE(AwaitReady(1));
  // Not one that a pool gives: it has another host name.
  Sandbox& made = Create({.hostname = "box"});
  EXPECT_EQ(Take().admitted, 1U);
  EXPECT_EQ(Status().ready, 0U);
  ASSERT_TRUE(transitions().Destroy(made, "requested"));
}

TEST_F(PoolTest, WhatABurstMadeGoesBackWhenItsTimeIsOver) {
  Configure(1, 4);
  ASSERT_TRUE(AwaitReady(1));
  std::vector<PoolMember> claimed;
  for (int i = 0; i < 2; ++i) {
    if (auto member = Claim()) claimed.push_back(*std::move(member));
  }
  clock_.Advance(Millis(1000));
  ASSERT_TRUE(Eventually([&] { return Status().ready > 1; }));
  clock_.Advance(Millis(60'000));
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(Millis(60'000));
    return Status().ready == 1 && Status().making == 0;
  }));
  for (PoolMember& member : claimed) Return(std::move(member));
}

TEST_F(PoolTest, OneThatIsTurnedOffGivesAllBack) {
  Configure(2, 2);
  ASSERT_TRUE(AwaitReady(2));
  pools().Configure({});
  ASSERT_TRUE(Eventually([&] { return Take() == Standings{}; }));
}

}  // namespace
}  // namespace cay::sandbox
