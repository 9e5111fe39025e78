// Creates that fail, at each step: what came before is undone.
#include "sandbox/lifecycle/creator.h"

#include <future>

#include "lifecycle_fixture.h"

namespace cay::sandbox {
namespace {

using engine::fake::When;
using ::testing::HasSubstr;

class CreatorTest : public LifecycleTest {
 protected:
  void TearDown() override { heart_->pools.Drain(); }
  // A pool of the default template and limits, with one member.
  void FillPool() {
    heart_->pools.Configure({{.template_name = "small",
                              .limits = options_.default_limits,
                              .minimum = 1,
                              .maximum = 1}});
    ASSERT_TRUE(Eventually([&] { return heart_->pools.Status().at(0).ready == 1; }));
  }
};

TEST_F(CreatorTest, WhatIsCreatedIsCountedRegisteredAndWrittenDown) {
  const auto view = TryCreate({.name = "web"});
  ASSERT_TRUE(view) << view.error().ToString();
  const std::string id = view->id.text();
  const Standings now = Take();
  EXPECT_EQ(now.admitted, 1U);
  EXPECT_EQ(now.owners, (std::map<std::string, size_t>{{"me", 1}}));
  EXPECT_EQ(now.memory, options_.default_limits.memory);
  EXPECT_EQ(now.disk, options_.default_limits.disk);
  EXPECT_EQ(now.registered, (std::map<std::string, std::string>{{id, "running web"}}));
  EXPECT_EQ(now.rows, (std::map<std::string, std::string>{{id, "running web"}}));
  EXPECT_EQ(now.engine, (std::map<std::string, std::string>{{id, "running"}}));
  std::vector<std::string> stages;
  for (const auto& stage : view->stage_us) stages.push_back(stage.name);
  EXPECT_EQ(stages, engine_->Describe().stages);
}

TEST_F(CreatorTest, AnEngineThatFailsLeavesNothing) {
  const Standings before = Take();
  engine_->Fail(Call::kCreate, Error(ErrorCode::kResourceExhausted, Fault::kMachine, "full"));
  EXPECT_THAT(TryCreate({.name = "web"}), FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Take(), before);
  EXPECT_EQ(engine_->calls(Call::kCreate), 1U);
  EXPECT_TRUE(TryCreate({.name = "web"})) << "the name is free again";
}

TEST_F(CreatorTest, WhatMayPassIsTriedOnceMoreAndNotForEver) {
  engine_->Fail(Call::kCreate, Busy());
  EXPECT_TRUE(TryCreate());
  EXPECT_EQ(engine_->calls(Call::kCreate), 2U);
  const Standings before = Take();
  engine_->Fail(Call::kCreate, Busy(), 2);
  EXPECT_THAT(TryCreate(), FailsWith(ErrorCode::kUnavailable));
  EXPECT_EQ(engine_->calls(Call::kCreate), 4U);
  EXPECT_EQ(Take(), before);
}

TEST_F(CreatorTest, WhatCannotBeWrittenDownIsDestroyedAgain) {
  const Standings before = Take();
  FailRows();
  EXPECT_FALSE(TryCreate({.name = "web"}));
  AllowRows();
  EXPECT_EQ(Take(), before);
  EXPECT_EQ(engine_->calls(Call::kDestroy), 1U);
}

TEST_F(CreatorTest, WhatCanNeitherBeWrittenDownNorDestroyedIsTheNextServersToRemove) {
  const Standings before = Take();
  FailRows();
  engine_->Fail(Call::kDestroy, Broken());
  EXPECT_FALSE(TryCreate({.name = "web"}));
  AllowRows();
  Standings after = Take();
  EXPECT_EQ(after.engine.size(), 1U);
  after.engine.clear();
  EXPECT_EQ(after, before) << "nobody was promised it";
  const auto report = Restart();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->removed, 1U);
  EXPECT_EQ(Take(), before);
}

TEST_F(CreatorTest, WhereThereIsNoPlaceTheEngineIsNotAsked) {
  options_.max_sandboxes = 1;
  core().SetOptions(options_);
  Create();
  const Standings before = Take();
  EXPECT_THAT(TryCreate(), FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Take(), before);
  EXPECT_EQ(engine_->calls(Call::kCreate), 1U);
}

TEST_F(CreatorTest, ANameThatIsTakenIsGivenToNobodyElse) {
  Create({.name = "web"});
  const Standings before = Take();
  EXPECT_THAT(TryCreate({.name = "web"}), FailsWith(ErrorCode::kAlreadyExists));
  EXPECT_EQ(Take(), before);
  EXPECT_EQ(engine_->calls(Call::kCreate), 1U);
}

TEST_F(CreatorTest, ATemplateThatIsNotThereCostsNothing) {
  const Standings before = Take();
  EXPECT_THAT(TryCreate({.template_name = "none"}), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(Take(), before);
}

TEST_F(CreatorTest, WhatTheEngineCannotIsNotAskedOfIt) {
  engine_options_.name = "plain";
  engine_options_.can = {.host_layers = true};
  ASSERT_TRUE(Restart());
  const Standings before = Take();
  const auto refused = TryCreate({.project = "books"});
  ASSERT_THAT(refused, FailsWith(ErrorCode::kNotSupported));
  EXPECT_THAT(refused.error().message(), HasSubstr("plain"));
  EXPECT_THAT(TryCreate({.on_timeout = OnTimeout::kPause}), FailsWith(ErrorCode::kNotSupported));
  EXPECT_EQ(Take(), before);
  EXPECT_EQ(engine_->calls(Call::kCreate), 0U);
}

TEST_F(CreatorTest, AnIdempotencyKeyWhoseCreateFailedIsFreeAgain) {
  const Idempotency key{.key = "k", .asked = "a web server"};
  const SandboxSpec spec{.name = "web"};
  engine_->Fail(Call::kCreate, Error(ErrorCode::kResourceExhausted, Fault::kMachine, "full"));
  EXPECT_FALSE(heart_->creator.Create(me_, spec, key));
  const auto made = heart_->creator.Create(me_, spec, key);
  ASSERT_TRUE(made) << made.error().ToString();
  const auto again = heart_->creator.Create(me_, spec, key);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id, made->id);
  EXPECT_EQ(engine_->calls(Call::kCreate), 2U);
}

TEST_F(CreatorTest, WhoDrainsWaitsForThoseUnderWayAndLetsNoMoreIn) {
  std::optional<FakeEngine::Held> held;
  held.emplace(*engine_, Call::kCreate);
  auto creating = std::async(std::launch::async, [&] { return TryCreate(); });
  held->AwaitCaller();
  EXPECT_EQ(core().registry.All().at(0)->state(), SandboxState::kCreating);
  auto draining = std::async(std::launch::async, [&] { heart_->creator.Drain(Millis(60'000)); });
  held.reset();
  draining.get();
  EXPECT_TRUE(creating.get());
  const Standings before = Take();
  EXPECT_THAT(TryCreate(), FailsWith(ErrorCode::kUnavailable));
  EXPECT_EQ(Take(), before);
}

TEST_F(CreatorTest, AMemberOfAPoolIsTakenWithoutTheEngine) {
  FillPool();
  const size_t calls = engine_->calls(Call::kCreate);
  std::optional<FakeEngine::Held> held;
  held.emplace(*engine_, Call::kCreate);  // the pool makes no other
  const auto view = TryCreate();
  ASSERT_TRUE(view) << view.error().ToString();
  EXPECT_TRUE(view->from_pool);
  EXPECT_EQ(view->stage_us, engine::NoStageTimes(engine_->Describe()));
  EXPECT_LE(engine_->calls(Call::kCreate), calls + 1);
  EXPECT_EQ(Take().owners, (std::map<std::string, size_t>{{"me", 1}}));
  held.reset();
}

TEST_F(CreatorTest, APooledOneThatCannotBeWrittenDownIsDestroyed) {
  FillPool();
  const Standings before = Take();
  ASSERT_EQ(before.engine.size(), 1U);
  const std::string member = before.engine.begin()->first;
  FailRows();
  EXPECT_FALSE(TryCreate());
  AllowRows();
  EXPECT_FALSE(Take().engine.contains(member));
  // The pool makes another one; all counts are again what they were with one.
  ASSERT_TRUE(Eventually([&] { return heart_->pools.Status().at(0).ready == 1; }));
  const Standings after = Take();
  EXPECT_EQ(after.admitted, before.admitted);
  EXPECT_EQ(after.memory, before.memory);
  EXPECT_EQ(after.owners, before.owners);
  EXPECT_EQ(after.registered, before.registered);
}

TEST_F(CreatorTest, APooledOneOfAnOwnerWhoHasEnoughIsLeftWhereItIs) {
  FillPool();
  const Standings before = Take();
  const Caller poor{.owner = "poor", .admin = false, .max_sandboxes = 1};
  // Its one place is taken by one that no pool gives.
  ASSERT_TRUE(heart_->creator.Create(poor, {.hostname = "box"}, {}));
  const Standings with_one = Take();
  EXPECT_THAT(heart_->creator.Create(poor, {}, {}), FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Take(), with_one);
  EXPECT_EQ(heart_->pools.Status().at(0).ready, 1U);
}

}  // namespace
}  // namespace cay::sandbox
