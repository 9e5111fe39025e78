// The lives of sandboxes on the real engine.

#include "sandbox/manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "manager_fixture.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ManagerTest, WhatIsCreatedRunsAndIsFoundByItsNameAndListed) {
  const SandboxView made = Create({.name = "first", .metadata = {{"job", "7"}}});
  EXPECT_EQ(made.state, SandboxState::kRunning);
  EXPECT_EQ(made.limits.memory, 128 * kMiB);
  EXPECT_FALSE(made.from_pool);
  EXPECT_GT(made.create_us, 0U);
  EXPECT_EQ(Run("first", "echo here"), "here\n[0]");
  EXPECT_EQ(manager().Get(me_, "first")->id, made.id);
  EXPECT_EQ(AwaitEvent("sandbox.created", made.id.text()), "requested");
  EXPECT_EQ(manager().List(me_, {.metadata = {{"job", "7"}}})->sandboxes.size(), 1U);
  EXPECT_THAT(manager().List(me_, {.metadata = {{"job", "8"}}})->sandboxes, IsEmpty());
}

TEST_F(ManagerTest, WhatIsDestroyedIsGoneAndWhoAsksIsToldWhenAndWhy) {
  const std::string id = Create().id.text();
  ASSERT_TRUE(manager().Destroy(me_, id, "requested"));
  ASSERT_TRUE(server_.store->Flush());
  const auto view = manager().Get(me_, id);
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(view.error().message(), HasSubstr("requested"));
  EXPECT_EQ(manager().Destroy(me_, id, "again").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(AwaitInEngine(0), 0U);
  EXPECT_EQ(AwaitEvent("sandbox.destroyed", id), "requested");
}

TEST_F(ManagerTest, AnotherOwnersDoesNotExistButForAnAdministrator) {
  const std::string id = Create({.name = "mine"}).id.text();
  const Caller other{.owner = "other", .admin = false};
  for (const std::string& which : {id, std::string("mine")}) {
    EXPECT_EQ(manager().Get(other, which).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(manager().Use(other, which).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(manager().Destroy(other, which, "x").error().code(), ErrorCode::kNotFound);
  }
  EXPECT_THAT(manager().List(other, {})->sandboxes, IsEmpty());
  EXPECT_TRUE(manager().Get({.owner = "root", .admin = true}, id));
}

}  // namespace
}  // namespace cay::sandbox
