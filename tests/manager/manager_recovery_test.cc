// What a server finds that another one left: killed, or ended.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "manager_fixture.h"
#include "sandbox/records/sandbox_table.h"
#include "store/test_no_room.h"

namespace cay::sandbox {
namespace {

using ::testing::HasSubstr;

class RecoveryTest : public ManagerTest {
 protected:
  // A server (server_) in a process of its own, which does `work` and then is killed. What `work`
  // gave back.
  std::string KilledServer(const std::function<std::string()>& work) {
    Close();
    auto pipe = MakePipe();
    EXPECT_TRUE(pipe);
    const pid_t child = ::fork();
    if (child == 0) {
      Open();
      if (!server_.manager) ::_exit(1);
      const std::string said = work();
      const std::string launcher = std::to_string(server_.engine->launcher_pid());
      (void)WriteAll(pipe->write.get(), launcher + " " + said + "\n");
      while (true) ::pause();
    }
    {
      const Fd closed = std::move(pipe->write);
    }
    std::string said;
    char byte = 0;
    while (::read(pipe->read.get(), &byte, 1) == 1 && byte != '\n') said += byte;
    EXPECT_EQ(::kill(child, SIGKILL), 0);
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
    const size_t space = said.find(' ');
    if (space == std::string::npos) {
      ADD_FAILURE() << "the server ended by itself";
      return {};
    }
    // Its launcher ends when it sees that nobody asks any more.
    AwaitEnd(static_cast<pid_t>(std::stol(said.substr(0, space))));
    return said.substr(space + 1);
  }

  static void AwaitEnd(pid_t pid) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (::kill(pid, 0) == 0 && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(Millis(2));
  }
};

TEST_F(RecoveryTest, WhatAKilledServerPromisedIsThereWithItsProcesses) {
  const std::string id = KilledServer([&] {
    const SandboxView made =
        Create({.name = "kept", .timeout = Millis(1'234'000), .env = {{"A", "b"}}});
    Run("kept", "echo x > /workspace/agent_workspace/x; setsid sleep 1000 & sleep 0.1");
    return made.id.text();
  });
  Open();
  EXPECT_EQ(manager().reconciled().adopted, 1U);
  EXPECT_TRUE(manager().reconciled().lost.empty());
  EXPECT_EQ(manager().reconciled().removed, 0U);
  const auto view = manager().Get(me_, "kept");
  ASSERT_TRUE(view) << view.error().ToString();
  EXPECT_EQ(view->id.text(), id);
  EXPECT_EQ(view->spec.timeout, Millis(1'234'000));
  EXPECT_EQ(*view->expires_unix_ms, view->created_unix_ms + 1'234'000);
  EXPECT_EQ(Run("kept", "cat /workspace/agent_workspace/x; echo $A; pgrep -c sleep"),
            "x\nb\n1\n[0]");
}

TEST_F(RecoveryTest, StoppedAndPausedOnesAreAsTheyWere) {
  const std::string stopped = Create().id.text();
  const std::string paused = Create().id.text();
  ASSERT_TRUE(manager().Stop(me_, stopped));
  if (!manager().Pause(me_, paused)) GTEST_SKIP() << "no freezer";
  Reopen();
  EXPECT_EQ(manager().Get(me_, stopped)->state, SandboxState::kStopped);
  EXPECT_EQ(manager().Get(me_, paused)->state, SandboxState::kPaused);
  EXPECT_TRUE(manager().Start(me_, stopped));
  EXPECT_TRUE(manager().Resume(me_, paused));
  EXPECT_EQ(Run(stopped, "true"), "[0]");
  EXPECT_EQ(Run(paused, "true"), "[0]");
}

TEST_F(RecoveryTest, ALifeThatEndedMeanwhileEndsAtTheStart) {
  const std::string id = Create({.timeout = Millis(200)}).id.text();
  Close();
  std::this_thread::sleep_for(Millis(200));
  Open();
  EXPECT_TRUE(Await(id, SandboxState::kDestroyed));
  EXPECT_EQ(AwaitEvent("sandbox.destroyed", id), "lifetime");
}

TEST_F(RecoveryTest, WhatNobodyWasPromisedIsRemovedAndOthersSandboxesAreNot) {
  auto base = server_.templates->Find("host");
  ASSERT_TRUE(base);
  const auto make = [&](const std::string& label) {
    engine::CreateRequest request(*SandboxId::Generate(), base->root);
    request.limits = options_.default_limits;
    request.lifetime = engine::Lifetime::kPersistent;
    request.label = label;
    EXPECT_TRUE(server_.engine->Create(request));
    return request.id;
  };
  make("server host");
  const SandboxId others = make("host");
  Reopen();
  EXPECT_EQ(manager().reconciled().removed, 1U);
  EXPECT_EQ(AwaitInEngine(1), 1U);
  EXPECT_TRUE(server_.engine->Destroy(others));
}

TEST_F(RecoveryTest, WhatWasPromisedAndIsGoneIsSaidToBeLostOnce) {
  const SandboxView made = Create();
  Close();
  {
    auto engine = engine::native::NativeEngine::Start(
        {.paths = paths_, .launcher_path = CAY_PATH, .netns_pool = 1});
    ASSERT_TRUE(engine);
    ASSERT_TRUE((*engine)->Destroy(made.id));
  }
  Open();
  ASSERT_EQ(manager().reconciled().lost.size(), 1U);
  EXPECT_EQ(manager().reconciled().lost[0].first, made.id.text());
  EXPECT_EQ(manager().Get(me_, made.id.text())->state, SandboxState::kFailed);
  EXPECT_THAT(manager().Get(me_, made.id.text())->reason, HasSubstr("lost: "));
  EXPECT_THAT(AwaitEvent("server.lost", made.id.text()), HasSubstr("lost: "));
  Reopen();
  EXPECT_TRUE(manager().reconciled().lost.empty());
  EXPECT_TRUE(manager().Destroy(me_, made.id.text(), "requested"));
}

TEST_F(RecoveryTest, AGuestThatEndedMeanwhileIsALossWithItsReason) {
  const std::string id = Create().id.text();
  const auto watch = manager().Use(me_, id)->Watch();
  ASSERT_TRUE(watch);
  Close();
  ASSERT_TRUE(sys::PidfdSendSignal(*watch, SIGKILL));
  pollfd poller{.fd = watch->get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&poller, 1, 10'000), 1);
  Open();
  EXPECT_EQ(manager().Get(me_, id)->state, SandboxState::kFailed);
  EXPECT_THAT(manager().Get(me_, id)->reason, HasSubstr("lost: its guest ended"));
  EXPECT_EQ(manager().reconciled().lost.size(), 1U);
}

TEST_F(RecoveryTest, ADestroyThatWasPromisedIsFinished) {
  const SandboxView made = Create();
  ASSERT_TRUE(server_.store->Write(
      [&](store::Database& db) { return MarkDestroying(db, made.id, "requested"); }));
  Reopen();
  EXPECT_EQ(manager().Get(me_, made.id.text()).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(AwaitInEngine(0), 0U);
}

// A program before this one let it be.
TEST_F(RecoveryTest, ANameThatIsAnothersIdKeepsNothingFromStarting) {
  const auto first = Create({.name = "first"});
  const auto second = Create({.name = "second"});
  Close();
  Open();
  ASSERT_TRUE(server_.store->Write([&](store::Database& db) -> Result<void> {
    auto rename = TRY(db.Prepare("UPDATE sandbox SET name = ?1 WHERE id = ?2"));
    rename.Bind(1, first.id.text());
    rename.Bind(2, second.id.text());
    TRY(rename.Step());
    return {};
  }));
  Reopen();
  ASSERT_TRUE(server_.manager);
  EXPECT_EQ(manager().reconciled().adopted, 2U);
  EXPECT_EQ(manager().Get(me_, first.id.text())->id, first.id);
  EXPECT_EQ(manager().Get(me_, second.id.text())->id, second.id);
  EXPECT_TRUE(manager().Destroy(me_, second.id.text(), "requested"));
  EXPECT_EQ(manager().Get(me_, "first")->id, first.id);
}

TEST_F(RecoveryTest, WhatWasDestroyedWithoutRoomToSaySoIsNotLost) {
  const std::string id = KilledServer([&] {
    const std::string made = Create().id.text();
    static const store::NoRoom no_room;
    const auto destroyed = manager().Destroy(me_, made, "requested");
    return destroyed && AwaitInEngine(0) == 0 ? made : std::string("kept");
  });
  Open();
  EXPECT_TRUE(manager().reconciled().lost.empty());
  EXPECT_THAT(manager().Get(me_, id).error().message(), HasSubstr("was destroyed at"));
  EXPECT_THAT(AwaitEvent("sandbox.destroyed", id), "requested");
  Reopen();
  EXPECT_THAT(manager().Get(me_, id).error().message(), HasSubstr("was destroyed at"));
}

TEST_F(RecoveryTest, PoolsMembersOfAKilledServerAreRemoved) {
  options_.pools = {
      {.template_name = "host", .limits = options_.default_limits, .minimum = 2, .maximum = 2}};
  KilledServer([&] {
    while (manager().Metrics().pools.at(0).ready < 2) std::this_thread::sleep_for(Millis(5));
    return std::string("ready");
  });
  options_.pools.clear();
  Open();
  EXPECT_EQ(manager().reconciled().removed, 2U);
  EXPECT_EQ(AwaitInEngine(0), 0U);
}

TEST_F(RecoveryTest, EventsGoOnWithHigherIdsAfterAKill) {
  const std::string last = KilledServer([&] {
    Create();
    return std::to_string(server_.events->last_id());
  });
  Open();
  EXPECT_GT(server_.events->last_id(), std::stoull(last));
  const auto all = server_.events->After(0, {}, 100, Millis(0));
  ASSERT_FALSE(all.events.empty());
  EXPECT_EQ(all.events.front().type, "sandbox.created");
}

}  // namespace
}  // namespace cay::sandbox
