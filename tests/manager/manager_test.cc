// The lives of sandboxes on the real engine.

#include "sandbox/lifecycle/manager.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "base/os/file.h"
#include "base/os/sys.h"
#include "store/test_no_room.h"

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

TEST_F(ManagerTest, StoppedKeepsItsFilesAndNoProcess) {
  const std::string id = Create().id.text();
  Run(id, "echo kept > /workspace/agent_workspace/x; setsid sleep 1000 & sleep 0.1");
  EXPECT_EQ(Run(id, "pgrep -c -x sleep"), "1\n[0]");
  EXPECT_EQ(manager().Stop(me_, id)->state, SandboxState::kStopped);
  const auto started = manager().Start(me_, id);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_EQ(started->state, SandboxState::kRunning);
  EXPECT_EQ(Run(id, "cat /workspace/agent_workspace/x; pgrep -x sleep"), "kept\n[1]");
}

TEST_F(ManagerTest, PausedIsNotUsedBeforeItIsResumed) {
  const std::string id = Create().id.text();
  const auto paused = manager().Pause(me_, id);
  if (!paused && paused.error().code() == ErrorCode::kNotSupported)
    GTEST_SKIP() << paused.error().ToString();
  ASSERT_TRUE(paused) << paused.error().ToString();
  EXPECT_EQ(paused->state, SandboxState::kPaused);
  const auto lease = manager().Use(me_, id);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code(), ErrorCode::kIllegalState);
  EXPECT_THAT(lease.error().remedy().text(), HasSubstr("resume "));
  EXPECT_EQ(manager().Start(me_, id).error().code(), ErrorCode::kIllegalState);
  ASSERT_TRUE(manager().Resume(me_, id));
  EXPECT_EQ(Run(id, "true"), "[0]");
}

TEST_F(ManagerTest, TransitionsThatAreNotInTheListAreRefusedAndChangeNothing) {
  const std::string id = Create().id.text();
  ASSERT_TRUE(manager().Stop(me_, id));
  for (const auto& refused :
       {manager().Pause(me_, id), manager().Resume(me_, id), manager().Reset(me_, id)}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kIllegalState);
    EXPECT_FALSE(refused.error().remedy().text().empty());
  }
  EXPECT_EQ(manager().Get(me_, id)->state, SandboxState::kStopped);
}

TEST_F(ManagerTest, WhatIsSoAlreadyIsDoneAndNobodyIsToldOfIt) {
  const std::string id = Create().id.text();
  Run(id, "setsid sleep 1000 & sleep 0.1");
  EXPECT_EQ(manager().Start(me_, id)->state, SandboxState::kRunning);
  EXPECT_EQ(manager().Resume(me_, id)->state, SandboxState::kRunning);
  EXPECT_EQ(Run(id, "pgrep -c -x sleep"), "1\n[0]");
  const size_t before = CountEvents(id);
  if (manager().Pause(me_, id)) {
    EXPECT_EQ(manager().Pause(me_, id)->state, SandboxState::kPaused);
    EXPECT_EQ(CountEvents(id), before + 1);
  }
  // Also of one that is paused.
  for (int i = 0; i < 2; ++i) {
    const auto stopped = manager().Stop(me_, id);
    ASSERT_TRUE(stopped) << stopped.error().ToString();
    EXPECT_EQ(stopped->state, SandboxState::kStopped);
  }
  EXPECT_EQ(manager().Start(me_, id)->state, SandboxState::kRunning);
  EXPECT_EQ(Run(id, "pgrep -x sleep"), "[1]");
}

TEST_F(ManagerTest, OneThatFailedIsAsStoppedAsCanBeAndAStartMendsIt) {
  const std::string id = Create().id.text();
  const auto kill_guest = [&] {
    const auto guest = server_.engine->Watch(*SandboxId::Parse(id));
    ASSERT_TRUE(guest);
    ASSERT_TRUE(sys::PidfdSendSignal(*guest, SIGKILL));
  };
  kill_guest();
  ASSERT_TRUE(Await(id, SandboxState::kFailed));
  const auto stopped = manager().Stop(me_, id);
  ASSERT_TRUE(stopped) << stopped.error().ToString();
  EXPECT_EQ(stopped->state, SandboxState::kFailed);
  ASSERT_TRUE(manager().Start(me_, id));
  // Whether or not somebody has seen the end yet: a start is no success before it runs again.
  kill_guest();
  const auto started = manager().Start(me_, id);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_TRUE(Await(id, SandboxState::kRunning));
}

TEST_F(ManagerTest, IdleTimeoutsDoWhatTheCreatorChose) {
  const std::pair<OnTimeout, SandboxState> ways[] = {
      {OnTimeout::kDestroy, SandboxState::kDestroyed}, {OnTimeout::kStop, SandboxState::kStopped}};
  for (const auto& [way, state] : ways) {
    const std::string id = Create({.idle_timeout = Millis(100), .on_timeout = way}).id.text();
    EXPECT_TRUE(Await(id, state)) << OnTimeoutName(way);
    EXPECT_EQ(AwaitEvent(way == OnTimeout::kStop ? "sandbox.stopped" : "sandbox.destroyed", id),
              "idle_timeout");
  }
}

TEST_F(ManagerTest, WhoUsesASandboxKeepsItFromBeingIdle) {
  const SandboxSpec spec{.idle_timeout = Millis(1000)};
  const std::string used = Create(spec).id.text();
  auto lease = std::make_unique<Result<Lease>>(manager().Use(me_, used));
  ASSERT_TRUE(*lease);
  const std::string busy = Create(spec).id.text();
  manager().NoteExecution(*SandboxId::Parse(busy), 1);
  const std::string idle = Create(spec).id.text();
  EXPECT_TRUE(Await(idle, SandboxState::kDestroyed));
  EXPECT_TRUE(manager().Get(me_, used));
  EXPECT_EQ(manager().Get(me_, busy)->running, 1U);
  lease.reset();
  manager().NoteExecution(*SandboxId::Parse(busy), -1);
  EXPECT_TRUE(Await(used, SandboxState::kDestroyed));
  EXPECT_TRUE(Await(busy, SandboxState::kDestroyed));
}

TEST_F(ManagerTest, TheEndOfALifeDestroysWhatIsInUseToo) {
  const std::string id = Create({.timeout = Millis(2000)}).id.text();
  const auto lease = manager().Use(me_, id);
  ASSERT_TRUE(lease);
  const auto watch = lease->Watch();
  ASSERT_TRUE(watch);
  EXPECT_TRUE(Await(id, SandboxState::kDestroyed));
  EXPECT_EQ(AwaitEvent("sandbox.destroyed", id), "lifetime");
  pollfd poller{.fd = watch->get(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poller, 1, 10'000), 1);
}

TEST_F(ManagerTest, TheEndOfALifeDoesWhatTheCreatorChose) {
  const std::string stops =
      Create({.timeout = Millis(2000), .on_timeout = OnTimeout::kStop}).id.text();
  const std::string pauses =
      Create({.timeout = Millis(2000), .on_timeout = OnTimeout::kPause}).id.text();
  const std::string paused =
      Create({.timeout = Millis(2000), .on_timeout = OnTimeout::kStop}).id.text();
  ASSERT_TRUE(manager().Pause(me_, paused));
  EXPECT_EQ(Run(stops, "echo kept > /workspace/outputs/x"), "[0]");
  EXPECT_TRUE(Await(stops, SandboxState::kStopped));
  EXPECT_EQ(AwaitEvent("sandbox.stopped", stops), "lifetime");
  EXPECT_TRUE(Await(pauses, SandboxState::kPaused));
  EXPECT_EQ(AwaitEvent("sandbox.paused", pauses), "lifetime");
  EXPECT_TRUE(Await(paused, SandboxState::kStopped));
  // Another life: without one they would be stopped and paused again at once.
  for (const auto& view : {manager().Start(me_, stops), manager().Resume(me_, pauses)}) {
    ASSERT_TRUE(view) << view.error().ToString();
    EXPECT_GT(view->expires_unix_ms.value_or(0), view->started_unix_ms);
    EXPECT_EQ(view->state, SandboxState::kRunning);
  }
  EXPECT_EQ(Run(stops, "cat /workspace/outputs/x"), "kept\n[0]");
}

TEST_F(ManagerTest, AStoppedSandboxesLifeEndsAsWell) {
  const std::string id = Create({.timeout = Millis(2000)}).id.text();
  ASSERT_TRUE(manager().Stop(me_, id));
  EXPECT_TRUE(Await(id, SandboxState::kDestroyed));
}

TEST_F(ManagerTest, ALifeIsExtendedWithinItsMaximum) {
  options_.max_timeout = Millis(3'600'000);
  manager().Reconfigure(options_);
  const SandboxView made = Create({.timeout = Millis(600'000)});
  const auto extended = manager().Extend(me_, made.id.text(), Millis(60'000));
  ASSERT_TRUE(extended);
  EXPECT_EQ(*extended->expires_unix_ms, *made.expires_unix_ms + 60'000);
  const auto refused = manager().Extend(me_, made.id.text(), Millis(3'500'000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("timeouts.max_lifetime"));
  EXPECT_EQ(manager().Get(me_, made.id.text())->expires_unix_ms, extended->expires_unix_ms);
}

TEST_F(ManagerTest, WhatIsChangedOfALivingOneHoldsAndIsThereAfterARestart) {
  const std::string id = Create({.name = "before"}).id.text();
  const auto changed = manager().Update(me_, id,
                                        {.memory = 200 * kMiB,
                                         .pids = 64,
                                         .idle_timeout = Millis(70'000),
                                         .name = "after",
                                         .metadata = StringMap{{"k", "v"}}});
  ASSERT_TRUE(changed) << changed.error().ToString();
  Reopen();
  const auto view = manager().Get(me_, "after");
  ASSERT_TRUE(view);
  EXPECT_EQ(view->id.text(), id);
  EXPECT_EQ(view->limits.memory, 200 * kMiB);
  EXPECT_EQ(view->limits.pids, 64U);
  EXPECT_EQ(view->spec.idle_timeout, Millis(70'000));
  EXPECT_EQ(view->spec.metadata.at("k"), "v");
  EXPECT_EQ(manager().Get(me_, "before").error().code(), ErrorCode::kNotFound);
}

TEST_F(ManagerTest, ALimitOverItsMaximumIsRefusedNamingItAndItsKey) {
  const auto refused = manager().Create(me_, {.memory = 512 * kMiB});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimitTooHigh);
  EXPECT_THAT(refused.error().message(), HasSubstr("256m"));
  EXPECT_THAT(refused.error().remedy().text(), HasSubstr("limits.maxima.memory"));
  const std::string id = Create().id.text();
  EXPECT_EQ(manager().Update(me_, id, {.memory = 512 * kMiB}).error().code(),
            ErrorCode::kLimitTooHigh);
}

TEST_F(ManagerTest, ANameIsOneSandboxsOfItsOwner) {
  Create({.name = "same"});
  const auto second = manager().Create(me_, {.name = "same"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_TRUE(manager().Create({.owner = "other", .admin = false}, {.name = "same"}));
  ASSERT_TRUE(manager().Destroy(me_, "same", "requested"));
  EXPECT_TRUE(manager().Create(me_, {.name = "same"}));
}

TEST_F(ManagerTest, AnOwnersQuotaIsTheCallersFaultAndTheServersIsTheMachines) {
  options_.max_sandboxes = 3;
  options_.max_sandboxes_per_owner = 2;
  manager().Reconfigure(options_);
  const std::string first = Create().id.text();
  Create();
  const auto third = manager().Create(me_, {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(third.error().fault(), Fault::kCaller);
  const Caller other{.owner = "other", .admin = false};
  EXPECT_TRUE(manager().Create(other, {}));
  const auto full = manager().Create(other, {});
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(full.error().fault(), Fault::kMachine);
  ASSERT_TRUE(manager().Destroy(me_, first, "requested"));
  EXPECT_TRUE(manager().Create(me_, {}));
  EXPECT_EQ(manager().Metrics().refused, 2U);
}

TEST_F(ManagerTest, AnIdempotencyKeyStandsForOneCreateAlsoAfterARestart) {
  const SandboxSpec spec{.metadata = {{"a", "b"}}};
  const Idempotency key{.key = "key-1", .asked = "b"};
  const auto first = manager().Create(me_, spec, key);
  ASSERT_TRUE(first) << first.error().ToString();
  EXPECT_EQ(manager().Create(me_, spec, key)->id, first->id);
  const auto other =
      manager().Create(me_, {.metadata = {{"a", "c"}}}, {.key = "key-1", .asked = "c"});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_NE(manager().Create({.owner = "other", .admin = false}, spec, key)->id, first->id);
  Reopen();
  EXPECT_EQ(manager().Create(me_, spec, key)->id, first->id);
}

TEST_F(ManagerTest, OneKeyFromManyThreadsIsOneSandbox) {
  std::vector<std::thread> threads;
  std::array<std::string, 8> ids;
  for (std::string& id : ids) {
    threads.emplace_back([this, &id] {
      const auto made = manager().Create(me_, {}, {.key = "same-key", .asked = {}});
      id = made ? made->id.text() : made.error().ToString();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1U) << ids[0] << " " << ids[1];
  EXPECT_EQ(manager().Metrics().created, 1U);
}

TEST_F(ManagerTest, AHundredCreatesAtOnceAllSucceed) {
  std::vector<std::thread> threads;
  std::atomic<int> made = 0;
  for (int thread = 0; thread < 100; ++thread) {
    threads.emplace_back([&] {
      const auto view = manager().Create(me_, {.memory = 32 * kMiB, .disk = 8 * kMiB});
      if (view) ++made;
      EXPECT_TRUE(view) << view.error().ToString();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, 100);
}

TEST_F(ManagerTest, PagesGoOnWhereTheOneBeforeEnded) {
  std::set<std::string> made;
  for (int i = 0; i < 5; ++i) made.insert(Create().id.text());
  std::set<std::string> listed;
  ListFilter filter;
  filter.limit = 2;
  int pages = 0;
  do {
    const auto page = manager().List(me_, filter);
    ASSERT_TRUE(page);
    for (const SandboxView& view : page->sandboxes) listed.insert(view.id.text());
    filter.cursor = page->next;
    ++pages;
  } while (!filter.cursor.empty());
  EXPECT_EQ(listed, made);
  EXPECT_EQ(pages, 3);
  filter.cursor = "nonsense";
  EXPECT_EQ(manager().List(me_, filter).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(ManagerTest, AGuestThatIsKilledIsSeenAndSaidAndItsSandboxCanBeStartedAgain) {
  const std::string id = Create().id.text();
  ASSERT_EQ(Run(id, "echo kept >/workspace/file"), "[0]");
  // Called again when the sandbox is destroyed, after this test.
  const auto gone = std::make_shared<std::atomic<int>>(0);
  manager().OnGuestGone([gone](const SandboxId&, const GuestEnd&) { ++*gone; });
  {
    const auto lease = manager().Use(me_, id);
    ASSERT_TRUE(lease);
    ASSERT_TRUE(sys::PidfdSendSignal(*lease->Watch(), SIGKILL));
  }
  ASSERT_TRUE(Await(id, SandboxState::kFailed));
  EXPECT_EQ(manager().Get(me_, id)->reason, "signalled: SIGKILL");
  EXPECT_EQ(AwaitEvent("sandbox.failed", id), "signalled: SIGKILL");
  EXPECT_EQ(*gone, 1);
  const auto started = manager().Start(me_, id);
  ASSERT_TRUE(started) << started.error().ToString();
  EXPECT_EQ(started->state, SandboxState::kRunning);
  EXPECT_EQ(started->reason, "started");
  EXPECT_EQ(Run(id, "cat /workspace/file"), "kept\n[0]");
  EXPECT_EQ(AwaitEvent("sandbox.started", id), "requested");
  EXPECT_TRUE(manager().Destroy(me_, id, "requested"));
}

TEST_F(ManagerTest, HostDirectoriesAreMountedOnlyBelowTheListedRoots) {
  const std::string top = paths_.state_dir + "/roots";
  for (const char* name : {"", "/shared", "/shared/data", "/writable", "/hidden"})
    ASSERT_TRUE(MakeDirectories(top + name, 0755));
  ASSERT_EQ(::symlink("../../hidden", (top + "/shared/data/way_out").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomic(top + "/shared/data/x", "seen", 0644));
  options_.mount_roots = {top + "/shared", top + "/writable:rw"};
  manager().Reconfigure(options_);
  const auto create = [&](const std::string& source, bool read_only) {
    SandboxSpec spec;
    spec.mounts = {{source, "/data", read_only}};
    return manager().Create(me_, spec);
  };
  const auto good = create(top + "/shared/data", true);
  ASSERT_TRUE(good) << good.error().ToString();
  EXPECT_EQ(Run(good->id.text(), "cat /data/x; touch /data/y 2>/dev/null"), "seen[1]");
  for (const char* source : {"/hidden", "/shared/../hidden", "/shared/data/way_out", "/shared2"}) {
    const Error error = create(top + source, true).error();
    EXPECT_EQ(error.code(), ErrorCode::kPermissionDenied) << source << ": " << error.ToString();
  }
  EXPECT_EQ(create(top + "/shared/data", false).error().code(), ErrorCode::kPermissionDenied);
  EXPECT_EQ(create(top + "/shared/absent", true).error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(create(top + "/writable", false));
}

TEST_F(ManagerTest, AProjectsFilesAreThereReadOnly) {
  const std::string id = Create({.project = "p1"}).id.text();
  EXPECT_EQ(Run(id, "ls -d /workspace/project_files; touch /workspace/project_files/x 2>/dev/null"),
            "/workspace/project_files\n[1]");
}

TEST_F(ManagerTest, WhatCannotBeWrittenIsNotPromisedAndIsDestroyedAllTheSame) {
  const std::string kept = Create().id.text();
  const std::string doomed = Create().id.text();
  {
    const store::NoRoom no_room;
    const auto refused = manager().Create(me_, {});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().fault(), Fault::kMachine);
    EXPECT_FALSE(refused.error().remedy().text().empty());
    EXPECT_TRUE(manager().Destroy(me_, doomed, "requested"));
    EXPECT_EQ(AwaitInEngine(1), 1U);
    EXPECT_EQ(manager().Get(me_, doomed).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(Run(kept, "true"), "[0]");
  }
  EXPECT_TRUE(manager().Create(me_, {}));
  Reopen();
  EXPECT_TRUE(manager().reconciled().lost.empty());
  EXPECT_THAT(manager().Get(me_, doomed).error().message(), HasSubstr("was destroyed at"));
  EXPECT_TRUE(manager().Destroy(me_, kept, "requested"));
}

TEST_F(ManagerTest, APauseMayHaveTheRoomThatIsHeldInReserve) {
  const std::string id = Create().id.text();
  const auto is_held = [&] { return std::filesystem::exists(paths_.state_dir + "/reserve"); };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_held() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(Millis(10));
  ASSERT_TRUE(is_held());
  const store::NoRoom no_room;
  const auto refused = manager().Pause(me_, id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault(), Fault::kMachine);
  EXPECT_FALSE(is_held());
  EXPECT_EQ(manager().Get(me_, id)->state, SandboxState::kRunning);
  EXPECT_EQ(Run(id, "true"), "[0]");
}

TEST_F(ManagerTest, AfterDrainNothingIsCreated) {
  manager().Drain(Millis(1000));
  const auto refused = manager().Create(me_, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace cay::sandbox
