// Builds of templates, over an engine in memory: of a Dockerfile without RUN, which need none.
// What holds one up is an image whose registry does not answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "base/testing/test_eventually.h"
#include "engine/fake/fake_engine.h"
#include "sandbox/builds/build_keeper.h"
#include "template/layers/test_layer_tar.h"
#include "template/registry/test_registry.h"
#include "template/store/test_sandboxes.h"
#include "template/test_directory.h"

namespace cay::sandbox {
namespace {

using engine::fake::FakeEngine;
using engine::fake::FakeMachine;
using templates::LayerTar;
using ::testing::ElementsAre;

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Caller kAdmin{.owner = "ops", .admin = true};
const Caller kMe{.owner = "me"};
const Caller kOther{.owner = "other"};
constexpr Millis kLong{60'000};

std::string Context(const std::string& dockerfile, const std::string& content = "hello\n") {
  return LayerTar().File("Dockerfile", dockerfile, 0644).File("greeting", content, 0644).Finish();
}
constexpr const char* kCopies = "FROM scratch\nCOPY greeting /greeting\n";

class BuildsTest : public ::testing::Test {
 protected:
  BuildsTest() {
    registry_.Guard([this](http::Exchange& exchange) {
      if (exchange.request().path != "/v2/") held_.wait();
      return true;
    });
    for (const char* directory : {"state", "run"}) dir_.MakeDirectory(directory, 0711);
    store_ = *store::Store::Open(paths_);
    events_ = *EventLog::Open(*store_);
    templates_.emplace(*templates::TemplateStore::Open(paths_, templates::NoSandboxes));
    pulls_ =
        *PullKeeper::Open({.private_registries = {"127.0.0.0/8"}}, *templates_, *store_, *events_);
    ManagerOptions options;
    options.paths = paths_;
    options.network.bounds.max_mode = network::Mode::kOpen;
    options.max_snapshots_per_owner = 3;
    manager_ = *Manager::Open(options, engine_, *templates_, *store_, *events_);
    rules_.policy = BuildPolicy::kAll;
  }
  ~BuildsTest() override { LetGo(); }

  void Open() {
    auto opened = BuildKeeper::Open(rules_, {.engine = engine_,
                                             .templates = *templates_,
                                             .manager = *manager_,
                                             .pulls = *pulls_,
                                             .store = *store_,
                                             .events = *events_});
    ASSERT_TRUE(opened) << opened.error().ToString();
    builds_ = *std::move(opened);
  }
  Result<BuildView> Start(const Caller& caller, BuildSpec spec, const std::string& tar) {
    archive::StringSource source(tar);
    return builds_->Start(caller, std::move(spec), source);
  }
  BuildView Ended(const std::string& id) {
    uint64_t after = 0;
    while (true) {
      auto page = *builds_->Await(kAdmin, id, after, kLong);
      if (page.log.events.empty() && HasEnded(page.view.state)) return page.view;
      if (!page.log.events.empty()) after = page.log.events.back().number;
    }
  }
  BuildView Build(const Caller& caller, BuildSpec spec, const std::string& tar) {
    const auto started = Start(caller, std::move(spec), tar);
    EXPECT_TRUE(started) << started.error().ToString();
    return started ? Ended(started->id) : BuildView();
  }
  // One that does not go on before LetGo.
  std::string HeldUp(const std::string& name = "held") {
    return Context("FROM " + registry_.Name() + "/" + name + ":1\n");
  }
  void LetGo() {
    if (!gone_.exchange(true)) hold_.set_value();
  }
  // What lies beside the layers while it is made.
  size_t Aside() const {
    const std::filesystem::path partial = dir_.At("state/templates/.partial");
    if (!std::filesystem::exists(partial)) return 0;
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(partial), {}));
  }
  static std::string Why(const BuildView& view) {
    return view.error ? view.error->ToString() : std::string("no error");
  }

  templates::TestDirectory dir_;
  Paths paths_{dir_.At("state"), dir_.At("run")};
  std::promise<void> hold_;
  std::shared_future<void> held_ = hold_.get_future();
  std::atomic<bool> gone_ = false;
  templates::registry::TestRegistry registry_;
  std::shared_ptr<FakeMachine> machine_ = std::make_shared<FakeMachine>();
  FakeEngine engine_{machine_};
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<EventLog> events_;
  std::optional<templates::TemplateStore> templates_;
  std::unique_ptr<PullKeeper> pulls_;
  std::unique_ptr<Manager> manager_;
  std::unique_ptr<BuildKeeper> builds_;
  BuildRules rules_;
};

TEST_F(BuildsTest, ADockerfileAndItsContextBecomeATemplate) {
  Open();
  const BuildView done = Build(kAdmin, {.names = {"app", "team/app:2"}}, Context(kCopies));
  ASSERT_EQ(done.state, BuildState::kDone) << Why(done);
  EXPECT_EQ(done.steps, 1U);
  EXPECT_EQ(done.context, 43U);
  ASSERT_THAT(done.made, SizeIs(2));
  EXPECT_EQ(done.made[0].name, "app");
  EXPECT_EQ(done.made[1].name, "team/app:2");
  EXPECT_EQ(templates_->InfoOf("app")->written, 6U) << "beyond what it stands on, which is nothing";
  EXPECT_EQ(Aside(), 0U) << "the context goes with the build";
  EXPECT_EQ(builds_->GetMetrics().done, 1U);
  EXPECT_THAT(builds_->List(kAdmin), SizeIs(1));
}

TEST_F(BuildsTest, WhatIsToldIsNumberedAndWhoComesBackGoesOn) {
  Open();
  const BuildView done = Build(kMe, {.names = {"app"}}, Context(kCopies));
  const auto all = builds_->Await(kMe, done.id, 0, kLong);
  ASSERT_TRUE(all);
  ASSERT_GT(all->log.events.size(), 3U);
  EXPECT_EQ(all->log.events.back().number, done.events);
  EXPECT_EQ(all->log.events.front().kind, "began");
  EXPECT_EQ(all->log.events.back().kind, "writing");
  const auto rest = builds_->Await(kMe, done.id, 2, kLong);
  EXPECT_EQ(rest->log.events.front().number, 3U);
  EXPECT_EQ(rest->log.dropped, 0U);
  EXPECT_EQ(builds_->Await(kOther, done.id, 0, kLong).error().code(), ErrorCode::kNotFound);
  EXPECT_FALSE(builds_->Get(kOther, done.id));
  EXPECT_FALSE(builds_->Cancel(kOther, done.id));
  EXPECT_THAT(builds_->List(kOther), IsEmpty());
}

TEST_F(BuildsTest, WhoIsNoAdministratorBuildsTemplatesOfItsOwn) {
  Open();
  const BuildView done = Build(kMe, {.names = {"app"}}, Context(kCopies));
  ASSERT_EQ(done.state, BuildState::kDone) << Why(done);
  EXPECT_THAT(done.names, ElementsAre("@me/app"));
  EXPECT_TRUE(templates_->Has("@me/app"));
  EXPECT_FALSE(templates_->Has("app"));
  for (const char* name : {"python:3.12", "@other/app", "team/app", "", "App"}) {
    const auto refused = Start(kMe, {.names = {name}}, Context(kCopies));
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_FALSE(Start(kMe, {}, Context(kCopies))) << "it would be everybody's";
  EXPECT_EQ(Build(kMe, {.names = {"@me/app"}}, Context(kCopies)).state, BuildState::kDone);
}

TEST_F(BuildsTest, AnotherOwnersTemplateIsNotThere) {
  pulls_->Reconfigure({.policy = PullPolicy::kNever});
  Open();
  ASSERT_EQ(Build(kMe, {.names = {"mine"}}, Context(kCopies)).state, BuildState::kDone);
  const std::string on_mine = Context("FROM mine\nCOPY greeting /more\n");
  EXPECT_EQ(Build(kMe, {.names = {"next"}}, on_mine).state, BuildState::kDone);
  for (const char* stolen : {"FROM mine\nCOPY greeting /more\n", "FROM @me/mine\n",
                             "FROM scratch\nCOPY --from=mine /greeting /\n",
                             "FROM scratch\nCOPY --from=@me/mine /greeting /\n"}) {
    const BuildView failed = Build(kOther, {.names = {"next"}}, Context(stolen));
    EXPECT_EQ(failed.state, BuildState::kFailed) << stolen;
  }
  const BuildView failed = Build(kOther, {.names = {"next"}}, on_mine);
  EXPECT_EQ(failed.error->code(), ErrorCode::kNotFound) << Why(failed);
  EXPECT_FALSE(templates_->Has("@other/next"));
}

TEST_F(BuildsTest, AnOwnersTemplatesAreCounted) {
  Open();
  for (const char* name : {"one", "two", "three"})
    ASSERT_EQ(Build(kMe, {.names = {name}}, Context(kCopies)).state, BuildState::kDone);
  const auto fourth = Start(kMe, {.names = {"four"}}, Context(kCopies));
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(Build(kMe, {.names = {"two"}}, Context(kCopies)).state, BuildState::kDone)
      << "it takes the place of the one before";
  EXPECT_EQ(Build(kOther, {.names = {"four"}}, Context(kCopies)).state, BuildState::kDone);
}

TEST_F(BuildsTest, WhatABuildWritesIsBounded) {
  rules_.max_size = 10;
  Open();
  const BuildView failed =
      Build(kAdmin, {.names = {"app"}}, Context(kCopies, std::string(11, 'x')));
  ASSERT_EQ(failed.state, BuildState::kFailed);
  EXPECT_EQ(failed.error->code(), ErrorCode::kLimitTooHigh) << Why(failed);
  EXPECT_FALSE(templates_->Has("app"));
}

TEST_F(BuildsTest, OwnersCachesAreApartUnlessTheyShareOne) {
  Open();
  const auto cached = [&](const Caller& caller) {
    const BuildView done = Build(caller, {.names = {"app"}}, Context(kCopies));
    EXPECT_EQ(done.state, BuildState::kDone) << Why(done);
    return done.cached;
  };
  EXPECT_EQ(cached(kMe), 0U);
  EXPECT_EQ(cached(kMe), 1U);
  EXPECT_EQ(cached(kOther), 0U) << "whether somebody has built this is nobody else's to learn";
  rules_.share_cache = true;
  builds_->Reconfigure(rules_);
  EXPECT_EQ(cached(kMe), 0U);
  EXPECT_EQ(cached(kOther), 1U);
}

TEST_F(BuildsTest, AContextThatIsNotOneLeavesNothing) {
  rules_.max_context = 1000;
  Open();
  const auto refused = [&](const std::string& tar, ErrorCode code, BuildSpec spec = {}) {
    spec.names = {"app"};
    const auto started = Start(kAdmin, spec, tar);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code(), code) << started.error().ToString();
    EXPECT_EQ(Aside(), 0U);
  };
  refused("", ErrorCode::kInvalidArgument);
  refused("this is no tar at all", ErrorCode::kInvalidArgument);
  refused(LayerTar().File("greeting", "x", 0644).Finish(), ErrorCode::kNotFound);
  refused(LayerTar().File("../Dockerfile", kCopies, 0644).Finish(), ErrorCode::kInvalidArgument);
  refused(Context(kCopies, std::string(2000, 'x')), ErrorCode::kLimitTooHigh);
  refused(Context(kCopies), ErrorCode::kNotFound, {.dockerfile = "other"});
  for (const char* outside : {"../../../../etc/passwd", "/etc/passwd"}) {
    SCOPED_TRACE(outside);
    const auto started = Start(kAdmin, {.names = {"app"}, .dockerfile = outside}, Context(kCopies));
    EXPECT_FALSE(started);
  }
  const std::string link =
      LayerTar().Symlink("Dockerfile", "/etc/passwd").File("greeting", "x", 0644).Finish();
  EXPECT_FALSE(Start(kAdmin, {.names = {"app"}}, link)) << "nothing outside is read";
  EXPECT_EQ(Aside(), 0U);
  EXPECT_THAT(builds_->List(kAdmin), IsEmpty());
  EXPECT_EQ(Build(kAdmin, {.names = {"app"}}, Context(kCopies)).state, BuildState::kDone)
      << "and the places that they had are free";
}

TEST_F(BuildsTest, ADockerfileThatMakesNoSenseIsAFailedBuild) {
  Open();
  const BuildView failed = Build(kMe, {.names = {"app"}}, Context("FROM scratch\nCOPPY a b\n"));
  ASSERT_EQ(failed.state, BuildState::kFailed);
  EXPECT_EQ(failed.error->code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(failed.error->message(), HasSubstr("Dockerfile"));
  // It comes a moment after the end.
  const auto told = events_->After(0, {.owner = "me", .sandbox = ""}, 100, Millis(10'000));
  ASSERT_THAT(told.events, SizeIs(1));
  EXPECT_EQ(told.events[0].type, "template.build_failed");
}

TEST_F(BuildsTest, StepsHaveNothingOfWhatIsSandboxesOwn) {
  Open();
  BuildSpec spec{.names = {"app"}};
  spec.network.policy.mode = network::Mode::kOpen;
  for (const auto member :
       {&NetworkSpec::join, &NetworkSpec::aliases, &NetworkSpec::publish, &NetworkSpec::secrets}) {
    BuildSpec asked = spec;
    asked.network.*member = {"9:9"};
    const auto refused = Start(kMe, asked, Context(kCopies));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(Build(kMe, spec, Context(kCopies)).state, BuildState::kDone);
}

TEST_F(BuildsTest, TheNetworkOfStepsIsWithinTheAdministratorsBounds) {
  ManagerOptions options = *manager_->options();
  options.network.bounds.max_mode = network::Mode::kNone;
  manager_->Reconfigure(options);
  Open();
  BuildSpec spec{.names = {"app"}};
  spec.network.policy.mode = network::Mode::kOpen;
  EXPECT_FALSE(Start(kAdmin, spec, Context(kCopies)));
}

TEST_F(BuildsTest, OneThatIsUnderWayCanBeCancelledAndSoCanOneThatWaits) {
  rules_.at_a_time = 1;
  Open();
  const auto first = Start(kMe, {.names = {"one"}}, HeldUp());
  ASSERT_TRUE(first) << first.error().ToString();
  const auto second = Start(kMe, {.names = {"two"}}, Context(kCopies));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->state, BuildState::kWaiting);
  EXPECT_EQ(builds_->GetMetrics().waiting, 1U);
  ASSERT_TRUE(builds_->Cancel(kMe, second->id));
  EXPECT_EQ(Ended(second->id).state, BuildState::kCancelled);
  ASSERT_TRUE(builds_->Cancel(kMe, first->id));
  EXPECT_EQ(Ended(first->id).state, BuildState::kCancelled);
  EXPECT_EQ(builds_->Cancel(kMe, first->id).error().code(), ErrorCode::kIllegalState);
  EXPECT_EQ(Aside(), 0U);
  EXPECT_EQ(builds_->GetMetrics().cancelled, 2U);
  EXPECT_EQ(Build(kMe, {.names = {"three"}}, Context(kCopies)).state, BuildState::kDone);
}

TEST_F(BuildsTest, SoManyWaitAndOneOwnerHasAHalf) {
  rules_.at_a_time = 1;
  rules_.waiting = 3;
  Open();
  ASSERT_TRUE(Start(kMe, {.names = {"one"}}, HeldUp()));
  ASSERT_TRUE(Start(kMe, {.names = {"two"}}, Context(kCopies)));
  const auto third = Start(kMe, {.names = {"three"}}, Context(kCopies));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kResourceExhausted);
  ASSERT_TRUE(Start(kAdmin, {.names = {"three"}}, Context(kCopies)));
  ASSERT_TRUE(Start(kOther, {.names = {"four"}}, Context(kCopies)));
  const auto fifth = Start(kAdmin, {.names = {"five"}}, Context(kCopies));
  ASSERT_FALSE(fifth);
  EXPECT_EQ(fifth.error().code(), ErrorCode::kUnavailable);
  LetGo();
  EXPECT_TRUE(Eventually([&] { return builds_->GetMetrics().done == 3; }));
}

TEST_F(BuildsTest, ABuildThatTakesTooLongIsEnded) {
  rules_.timeout = Millis(50);
  Open();
  const BuildView failed = Build(kMe, {.names = {"app"}}, HeldUp());
  ASSERT_EQ(failed.state, BuildState::kFailed);
  EXPECT_EQ(failed.error->code(), ErrorCode::kTimeout) << Why(failed);
}

TEST_F(BuildsTest, OneThatWasUnderWayWhenTheServerEndedIsToldOfAsInterrupted) {
  rules_.at_a_time = 1;
  Open();
  const auto running = Start(kMe, {.names = {"one"}}, HeldUp());
  const auto waiting = Start(kMe, {.names = {"two"}}, Context(kCopies));
  ASSERT_TRUE(running && waiting);
  builds_->Stop();
  EXPECT_EQ(Start(kMe, {.names = {"three"}}, Context(kCopies)).error().code(),
            ErrorCode::kUnavailable);
  EXPECT_EQ(Aside(), 0U);
  Open();
  for (const std::string& id : {running->id, waiting->id})
    EXPECT_EQ(builds_->Get(kMe, id)->state, BuildState::kInterrupted);
  // The first was counted before, where it had begun when the server ended.
  EXPECT_THAT(builds_->GetMetrics().interrupted, ::testing::AnyOf(1U, 2U));
  EXPECT_THAT(builds_->Get(kMe, running->id)->names, ElementsAre("@me/one"));
}

TEST_F(BuildsTest, SecretsAreNowhereOnDisk) {
  rules_.at_a_time = 1;
  Open();
  BuildSpec spec{.names = {"app"}};
  spec.secrets["token"] = "vErYsEcReT";
  spec.args["ARGUMENT"] = "value-of-an-argument";
  ASSERT_TRUE(Start(kMe, spec, HeldUp()));
  ASSERT_TRUE(store_->Flush());
  for (const auto& file : std::filesystem::recursive_directory_iterator(dir_.path())) {
    if (!file.is_regular_file()) continue;
    const auto content = ReadFile(file.path());
    if (!content) continue;
    EXPECT_EQ(content->find("vErYsEcReT"), std::string::npos) << file.path();
  }
}

}  // namespace
}  // namespace cay::sandbox
