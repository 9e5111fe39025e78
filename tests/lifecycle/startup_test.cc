// What starts with a sandbox, how it is asked to end, and how it is tested, over a fake engine.
#include "sandbox/startup/startup_keeper.h"

#include <signal.h>

#include <future>

#include "lifecycle_fixture.h"
#include "sandbox/lifecycle/manager.h"
#include "sandbox/processes/process_keeper.h"
#include "template/layers/test_layers.h"

namespace cay::sandbox {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = AskedEntrypoint::Kind;
using Words = std::vector<std::string>;

constexpr Millis kSecond{1000};

class StartupTest : public LifecycleTest {
 protected:
  StartupTest() {
    heart_.reset();  // the manager has its own
    options_.sweep_interval = Millis(20);
    OpenServer();
  }
  ~StartupTest() override { CloseServer(); }

  void OpenServer(bool with_startups = true) {
    if (!engine_) engine_ = std::make_unique<FakeEngine>(machine_, engine_options_);
    manager_ = *Manager::Open(options_, *engine_, templates(), *store_, *events_);
    keeper_ = *ProcessKeeper::Open({}, *manager_, *store_, *events_);
    if (with_startups) startups_ = *StartupKeeper::Open(*manager_, *keeper_);
  }
  void CloseServer() {
    startups_.reset();
    keeper_.reset();
    manager_.reset();
  }

  static SandboxSpec Own(Words argv) {
    SandboxSpec spec;
    spec.entrypoint = {.kind = Kind::kOwn, .argv = std::move(argv)};
    spec.timeout = Millis(0);
    spec.idle_timeout = Millis(0);
    return spec;
  }
  // Of an image whose process sleeps, with this test.
  SandboxSpec Tested(const std::string& name, Words test,
                     const std::function<void(templates::oci::Healthcheck&)>& change = {}) {
    templates::oci::Healthcheck healthcheck;
    healthcheck.test = std::move(test);
    healthcheck.interval = std::chrono::seconds(1);
    if (change) change(healthcheck);
    AddImage(name, healthcheck);
    SandboxSpec spec = Own({});
    spec.entrypoint.kind = Kind::kImages;
    spec.template_name = name;
    return spec;
  }
  void AddImage(const std::string& name,
                const std::optional<templates::oci::Healthcheck>& healthcheck) {
    templates::LayerTar layer;
    layer.Directory("bin").File("bin/sh", "a shell", 0755);
    const std::string tar = layer.Finish();
    const auto digest = *templates::oci::Digest::Of(tar);
    templates::NewImage image;
    image.origin.reference = "docker.io/library/" + name + ":1";
    image.origin.config.platform = {.os = "linux", .architecture = "amd64"};
    image.origin.config.diff_ids = {digest};
    image.origin.config.process.entrypoint = {"sleep"};
    image.origin.config.process.cmd = {"100000"};
    image.origin.config.process.env = {"HOME=/data", "PATH=/bin"};
    image.origin.config.process.stop_signal = "SIGQUIT";
    image.origin.config.process.healthcheck = healthcheck;
    image.layers = {{.media_type = std::string(templates::oci::kOciLayerTar),
                     .digest = digest,
                     .size = tar.size()}};
    templates::ImportOptions options;
    options.replace = true;
    const auto added = templates().AddImage(
        name, image,
        [&](size_t) -> Result<std::unique_ptr<archive::ByteSource>> {
          return std::make_unique<archive::StringSource>(tar);
        },
        options);
    ASSERT_TRUE(added) << added.error().ToString();
  }

  SandboxView Make(const SandboxSpec& spec, const Idempotency& idempotency = {}) {
    const auto view = manager_->Create(me_, spec, idempotency);
    if (view) return *view;
    ADD_FAILURE() << view.error().ToString();
    std::abort();
  }
  SandboxView Look(const SandboxView& view) { return *manager_->Get(me_, view.id.text()); }
  Startup StartupOf(const SandboxView& view) { return Look(view).startup.value_or(Startup{}); }
  bool Await(const SandboxView& view, StartupState state) {
    return Eventually([&] { return StartupOf(view).state == state; });
  }
  // Time goes by until the status is that.
  bool AwaitHealth(const SandboxView& view, CheckStatus status) {
    return Eventually([&] {
      clock_.Advance(Millis(500));
      const auto health = Look(view).health;
      return health && health->status == status;
    });
  }
  std::vector<ProcessRecord> Processes(const SandboxView& view) {
    return keeper_->History(view.id, 100);
  }
  size_t CountEvents(const SandboxView& view, const std::string& type) {
    size_t count = 0;
    for (const Event& event :
         events_->After(0, {.owner = {}, .sandbox = view.id.text()}, 1000, Millis(0)).events)
      if (event.type == type) ++count;
    return count;
  }

  std::unique_ptr<Manager> manager_;
  std::unique_ptr<ProcessKeeper> keeper_;
  std::unique_ptr<StartupKeeper> startups_;
};

TEST_F(StartupTest, WhatWasAskedForStartsWithTheSandboxAndIsAProcessOfIt) {
  const SandboxView view = Make(Own({"sleep", "100000"}));
  ASSERT_TRUE(view.startup);
  EXPECT_EQ(view.startup->state, StartupState::kRunning);
  EXPECT_THAT(view.startup->plan.command, ElementsAre("sleep", "100000"));
  const auto processes = Processes(view);
  ASSERT_THAT(processes, SizeIs(1));
  EXPECT_EQ(processes[0].id, view.startup->process);
  EXPECT_EQ(processes[0].tag, kStartupTag);
  EXPECT_EQ(Look(view).running, 1U);
  EXPECT_EQ(CountEvents(view, "sandbox.startup_started"), 1U);
}

TEST_F(StartupTest, NothingStartsWithoutBeingAskedFor) {
  const SandboxView view = Make({});
  EXPECT_FALSE(view.startup || view.health);
  EXPECT_THAT(Processes(view), IsEmpty());
}

TEST_F(StartupTest, AnImageSaysWhatItIs) {
  AddImage("says", std::nullopt);
  SandboxSpec spec = Own({});
  spec.template_name = "says";
  spec.entrypoint.kind = Kind::kImages;
  EXPECT_THAT(Make(spec).startup->plan.command, ElementsAre("sleep", "100000"));
  spec.cmd = {"200000"};
  EXPECT_THAT(Make(spec).startup->plan.command, ElementsAre("sleep", "200000"));
  EXPECT_EQ(Make(spec).startup->plan.stop_signal, static_cast<uint32_t>(SIGQUIT));
  // Its HOME is not the user's, and all else is.
  const auto lease = manager_->Use(me_, Make(spec).id.text());
  ASSERT_TRUE(lease);
  EXPECT_THAT(lease->AccountVariables({}), ElementsAre("USER", "LOGNAME", "SHELL"));
}

TEST_F(StartupTest, WhereNobodySaysWhatToStartNothingIsMade) {
  SandboxSpec spec = Own({});
  spec.entrypoint.kind = Kind::kImages;
  EXPECT_THAT(manager_->Create(me_, spec), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(manager_->List(me_, {})->sandboxes, IsEmpty());
}

TEST_F(StartupTest, ItsEndDoesNotEndTheSandbox) {
  const SandboxView view = Make(Own({"exit", "3"}));
  ASSERT_TRUE(Await(view, StartupState::kExited));
  EXPECT_EQ(StartupOf(view).exit_code, 3);
  EXPECT_EQ(Look(view).state, SandboxState::kRunning);
}

TEST_F(StartupTest, OneThatCannotBeStartedSaysWhyAndTheSandboxRuns) {
  const SandboxView view = Make(Own({"unknown"}));
  EXPECT_EQ(view.state, SandboxState::kRunning);
  EXPECT_EQ(view.startup->state, StartupState::kFailed);
  EXPECT_THAT(view.startup->reason, HasSubstr("unknown"));
  EXPECT_EQ(view.startup->process, 0U);
  EXPECT_EQ(CountEvents(view, "sandbox.startup_failed"), 1U);
}

TEST_F(StartupTest, ItStartsAgainWithEachStartAndReset) {
  const SandboxView view = Make(Own({"sleep", "100000"}));
  uint64_t before = view.startup->process;
  ASSERT_TRUE(manager_->Stop(me_, view.id.text()));
  const auto started = manager_->Start(me_, view.id.text());
  ASSERT_TRUE(started);
  EXPECT_EQ(started->startup->state, StartupState::kRunning);
  EXPECT_GT(started->startup->process, before);
  before = started->startup->process;
  EXPECT_EQ(manager_->Start(me_, view.id.text())->startup->process, before) << "it runs already";
  const auto reset = manager_->Reset(me_, view.id.text());
  ASSERT_TRUE(reset);
  EXPECT_EQ(reset->startup->state, StartupState::kRunning);
  EXPECT_GT(reset->startup->process, before);
}

TEST_F(StartupTest, TheSameCreateStartsItOnce) {
  const Idempotency key{.key = "k", .asked = "{}"};
  const SandboxView view = Make(Own({"exit", "1"}), key);
  ASSERT_TRUE(Await(view, StartupState::kExited));
  EXPECT_EQ(Make(Own({"exit", "1"}), key).startup->process, view.startup->process);
  EXPECT_THAT(Processes(view), SizeIs(1));
}

TEST_F(StartupTest, AStopAsksItToEndBeforeAllElseDoes) {
  AddImage("asked", std::nullopt);
  SandboxSpec spec = Own({});
  spec.template_name = "asked";
  spec.entrypoint.kind = Kind::kImages;
  const SandboxView view = Make(spec);
  const auto stopped = manager_->Stop(me_, view.id.text());
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->state, SandboxState::kStopped);
  EXPECT_EQ(stopped->startup->state, StartupState::kExited);
  EXPECT_EQ(stopped->startup->signal, static_cast<uint32_t>(SIGQUIT));
}

TEST_F(StartupTest, WhatDoesNotEndIsKilledWhenItsGraceIsOver) {
  const SandboxView view = Make(Own({"stubborn"}));
  const size_t connected = engine_->calls(Call::kConnect);
  auto stopping = std::async([&] { return manager_->Stop(me_, view.id.text()); });
  ASSERT_TRUE(Eventually([&] { return engine_->calls(Call::kConnect) > connected; }));
  clock_.Advance(options_.stop_grace - Millis(1));
  EXPECT_EQ(stopping.wait_for(Millis(300)), std::future_status::timeout);
  EXPECT_EQ(Look(view).state, SandboxState::kRunning);
  clock_.Advance(Millis(1));
  const auto stopped = stopping.get();
  ASSERT_TRUE(stopped) << stopped.error().ToString();
  EXPECT_EQ(stopped->startup->state, StartupState::kLost);
}

TEST_F(StartupTest, AnEndDoesNotWaitForAStop) {
  const SandboxView view = Make(Own({"stubborn"}));
  const size_t connected = engine_->calls(Call::kConnect);
  auto stopping = std::async([&] { return manager_->Stop(me_, view.id.text()); });
  ASSERT_TRUE(Eventually([&] { return engine_->calls(Call::kConnect) > connected; }));
  ASSERT_TRUE(manager_->Destroy(me_, view.id.text(), "requested"));
  EXPECT_FALSE(stopping.get()) << "there is nothing to stop any more";
}

TEST_F(StartupTest, WithoutAGraceItIsNotAsked) {
  CloseServer();
  options_.stop_grace = Millis(0);
  OpenServer();
  const SandboxView view = Make(Own({"stubborn"}));
  ASSERT_TRUE(manager_->Stop(me_, view.id.text()));
  EXPECT_EQ(StartupOf(view).state, StartupState::kLost);
}

TEST_F(StartupTest, TheEndOfItsTimeAsksItToo) {
  SandboxSpec spec = Own({"sleep", "100000"});
  spec.timeout = Millis(60'000);
  spec.on_timeout = OnTimeout::kStop;
  const SandboxView view = Make(spec);
  clock_.Advance(Millis(60'000));
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(Millis(20));
    return Look(view).state == SandboxState::kStopped;
  }));
  EXPECT_EQ(StartupOf(view).signal, static_cast<uint32_t>(SIGTERM));
}

TEST_F(StartupTest, TheNextServerTakesItOver) {
  const SandboxView runs = Make(Own({"sleep", "100000"}));
  const SandboxView ended = Make(Own({"exit", "4"}));
  ASSERT_TRUE(Await(ended, StartupState::kExited));
  CloseServer();
  ASSERT_TRUE(store_->Flush());
  OpenServer();
  EXPECT_EQ(StartupOf(runs).state, StartupState::kRunning);
  EXPECT_EQ(StartupOf(runs).process, runs.startup->process);
  EXPECT_THAT(Processes(runs), SizeIs(1));
  EXPECT_EQ(StartupOf(ended).state, StartupState::kExited);
  EXPECT_EQ(StartupOf(ended).exit_code, 4);
  const auto stopped = manager_->Stop(me_, runs.id.text());
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->startup->signal, static_cast<uint32_t>(SIGTERM));
}

TEST_F(StartupTest, WhatTheServerBeforeHadNotComeToIsStarted) {
  CloseServer();
  OpenServer(/*with_startups=*/false);
  const SandboxView view = Make(Own({"sleep", "100000"}));
  EXPECT_EQ(view.startup->state, StartupState::kStarting);
  CloseServer();
  OpenServer();
  ASSERT_TRUE(Await(view, StartupState::kRunning));
  EXPECT_THAT(Processes(view), SizeIs(1));
}

TEST_F(StartupTest, WhatTheServerBeforeStartedAndDidNotNoteIsFound) {
  CloseServer();
  OpenServer(/*with_startups=*/false);
  const SandboxView view = Make(Own({"sleep", "100000"}));
  ProcessSpec spec;
  spec.argv = {"sleep", "100000"};
  spec.background = true;
  const uint64_t process = keeper_->Start(*manager_->Use(me_, view.id.text()), spec)->id();
  CloseServer();
  OpenServer();
  ASSERT_TRUE(Await(view, StartupState::kRunning));
  EXPECT_EQ(StartupOf(view).process, process);
  EXPECT_THAT(Processes(view), SizeIs(1));
}

TEST_F(StartupTest, ATestThatSucceedsMakesItHealthyAndIsNobodysProcess) {
  const SandboxView view = Make(Tested("well", {"CMD", "echo", "fine"}));
  ASSERT_TRUE(view.health);
  EXPECT_EQ(view.health->status, CheckStatus::kStarting);
  ASSERT_TRUE(AwaitHealth(view, CheckStatus::kHealthy));
  const SandboxView now = Look(view);
  ASSERT_FALSE(now.health->log.empty());
  EXPECT_EQ(now.health->log.back().exit_code, 0);
  EXPECT_EQ(now.health->log.back().output, "fine\n");
  EXPECT_THAT(Processes(view), SizeIs(1));
  EXPECT_EQ(now.executions, 1U);
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(kSecond);
    return Look(view).health->log.size() > now.health->log.size();
  }));
  EXPECT_EQ(Look(view).last_activity_unix_ms, now.last_activity_unix_ms) << "it is no use of it";
  EXPECT_EQ(CountEvents(view, "sandbox.health"), 1U);
  EXPECT_THAT(manager_->List(me_, {})->sandboxes.at(0).health->log, IsEmpty());
}

TEST_F(StartupTest, TestsThatFailMakeItUnhealthyAndTheLastOnesAreTold) {
  const SandboxView view =
      Make(Tested("ill", {"CMD", "exit", "7"}, [](auto& check) { check.retries = 2; }));
  ASSERT_TRUE(AwaitHealth(view, CheckStatus::kUnhealthy));
  EXPECT_GE(Look(view).health->failing_streak, 2U);
  EXPECT_EQ(Look(view).health->log.back().exit_code, 7);
  ASSERT_TRUE(Eventually([&] {
    clock_.Advance(kSecond);
    return Look(view).health->failing_streak > kMaxCheckLog;
  }));
  EXPECT_THAT(Look(view).health->log, SizeIs(kMaxCheckLog));
}

TEST_F(StartupTest, ATestHasItsTime) {
  const SandboxView view = Make(Tested("slow", {"CMD", "stubborn"}, [](auto& check) {
    check.retries = 1;
    check.timeout = std::chrono::seconds(2);
  }));
  ASSERT_TRUE(AwaitHealth(view, CheckStatus::kUnhealthy));
  EXPECT_EQ(Look(view).health->log.back().exit_code, -1);
  EXPECT_THAT(Look(view).health->log.back().output, HasSubstr("longer than 2s"));
  EXPECT_TRUE(Eventually([&] {
    const auto info = manager_->Use(me_, view.id.text())->guest().Ping();
    return info && info->running == 1;
  })) << "it is ended";
}

TEST_F(StartupTest, ATestThatCannotBeRunSaysWhy) {
  const SandboxView view =
      Make(Tested("lacks", {"CMD", "curl"}, [](auto& check) { check.retries = 1; }));
  ASSERT_TRUE(AwaitHealth(view, CheckStatus::kUnhealthy));
  EXPECT_EQ(Look(view).health->log.back().exit_code, -1);
  EXPECT_THAT(Look(view).health->log.back().output, HasSubstr("curl"));
}

TEST_F(StartupTest, AnAdministratorsPatternsHoldForTestsToo) {
  ASSERT_TRUE(keeper_->SetRules({.refuse = {"no-echo=^echo"}}));
  const SandboxView view =
      Make(Tested("refused", {"CMD", "echo"}, [](auto& check) { check.retries = 1; }));
  ASSERT_TRUE(AwaitHealth(view, CheckStatus::kUnhealthy));
  EXPECT_THAT(Look(view).health->log.back().output, HasSubstr("refuses this command"));
}

TEST_F(StartupTest, APausedOneIsNotTestedAndGoesOnAfterwards) {
  const SandboxView view = Make(Tested("paused", {"CMD", "true"}));
  ASSERT_TRUE(AwaitHealth(view, CheckStatus::kHealthy));
  ASSERT_TRUE(manager_->Pause(me_, view.id.text()));
  const auto paused = Look(view).health->log.back();
  for (int i = 0; i < 3; ++i) clock_.Advance(5 * kSecond);
  EXPECT_EQ(Look(view).health->log.back().started_unix_ms, paused.started_unix_ms);
  ASSERT_TRUE(manager_->Resume(me_, view.id.text()));
  EXPECT_TRUE(Eventually([&] {
    clock_.Advance(kSecond);
    return Look(view).health->log.back().started_unix_ms > paused.started_unix_ms;
  }));
}

TEST_F(StartupTest, AStartTestsAnew) {
  const SandboxView view = Make(Tested("anew", {"CMD", "true"}));
  ASSERT_TRUE(AwaitHealth(view, CheckStatus::kHealthy));
  ASSERT_TRUE(manager_->Stop(me_, view.id.text()));
  EXPECT_FALSE(Look(view).health);
  clock_.Advance(kSecond);
  const auto started = manager_->Start(me_, view.id.text());
  ASSERT_TRUE(started);
  EXPECT_EQ(started->health->status, CheckStatus::kStarting);
  EXPECT_TRUE(AwaitHealth(view, CheckStatus::kHealthy));
}

TEST_F(StartupTest, TheNextServerTestsIt) {
  const SandboxView view = Make(Tested("next", {"CMD", "true"}));
  CloseServer();
  OpenServer();
  ASSERT_TRUE(Look(view).health);
  EXPECT_TRUE(AwaitHealth(view, CheckStatus::kHealthy));
}

}  // namespace
}  // namespace cay::sandbox
