// Networks of sandboxes, over a fake engine and a relay that is a thread of the test: whatever
// fails, nothing is open that must not be.
#include <sys/socket.h>

#include "lifecycle_fixture.h"
#include "network/names/test_question.h"
#include "test_relays.h"

namespace cay::sandbox {
namespace {

using network::Mode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class NetworksTest : public LifecycleTest {
 protected:
  NetworksTest() {
    relays_from_ = {.start = [this](RelayUse) { return relays_.Start(); }};
    if (!Restart()) std::abort();
  }
  ~NetworksTest() override { Close(); }

  NetworkKeeper& networks() { return *core().networks; }

  static SandboxSpec With(NetworkSpec network) { return {.network = std::move(network)}; }
  static NetworkSpec Allow(std::vector<std::string> rules) {
    return {.policy = {.mode = Mode::kAllow, .allow = std::move(rules)}};
  }
  static NetworkSpec Internet() { return {.policy = {.mode = Mode::kOpen}}; }

  static SandboxSpec Joined(const std::string& name, std::vector<std::string> aliases = {}) {
    return {.name = name, .network = {.join = {"app"}, .aliases = std::move(aliases)}};
  }
  std::vector<std::string> Peers(const SandboxId& id) {
    std::vector<std::string> names;
    for (const network::Peer& peer : networks().PeersOf(id)) names.push_back(peer.name);
    return names;
  }

  // A connection that a program inside makes, until it is refused.
  void Knock(const SandboxId& id) {
    const auto socket = engine_->ConnectInside(id);
    ASSERT_TRUE(socket) << socket.error().ToString();
    char byte = 0;
    EXPECT_LE(::recv(socket->get(), &byte, 1, 0), 0);
  }
  // The address that a program inside is given for it.
  std::string Ask(const SandboxId& id, const std::string& name) {
    uint16_t port = 0;
    {
      const std::lock_guard lock(machine_->mutex);
      port = machine_->sandboxes.at(id).dns_port;
    }
    return network::AskForName(port, name);
  }
  std::vector<std::string> Reasons(const SandboxId& id, uint64_t after = 0) {
    std::vector<std::string> reasons;
    for (const NumberedFlow& one : networks().FlowsAfter(id, after, FlowRing::kKept).flows)
      reasons.push_back(one.flow.reason);
    return reasons;
  }
  std::vector<Event> Denials() {
    std::vector<Event> denials;
    for (Event& event : events_->After(0, {}, 1000, Millis(0)).events)
      if (event.type == "sandbox.network_denied") denials.push_back(std::move(event));
    return denials;
  }

  Relays relays_;
};

TEST_F(NetworksTest, WhoHasJoinedANetworkHasPeersAsTheyComeAndGo) {
  Sandbox& db = Create(Joined("db", {"postgres"}));
  Sandbox& web = Create(Joined("web"));
  const SandboxId id = web.id();
  const SandboxId db_id = db.id();
  EXPECT_TRUE(engine_->HasNetwork(id)) << "the mode is none";
  EXPECT_THAT(Peers(id), ElementsAre("db", "postgres"));
  EXPECT_THAT(Peers(db.id()), ElementsAre("web"));
  ASSERT_TRUE(transitions().Update(db, {.name = "store"}));
  EXPECT_THAT(Peers(id), ElementsAre("postgres", "store"));
  FailRows();
  EXPECT_FALSE(transitions().Update(db, {.name = "lost"}));
  AllowRows();
  EXPECT_THAT(Peers(id), ElementsAre("postgres", "store"));
  ASSERT_TRUE(transitions().Stop(db, "requested"));
  EXPECT_THAT(Peers(id), ElementsAre("postgres", "store")) << "running or not";
  ASSERT_TRUE(Restart());
  EXPECT_THAT(Peers(id), ElementsAre("postgres", "store"));
  ASSERT_TRUE(transitions().Destroy(Get(db_id), "requested"));
  EXPECT_THAT(Peers(id), IsEmpty());
  EXPECT_TRUE(networks().Look(id).served);
}

TEST_F(NetworksTest, ACreateThatFailsIsNobodysPeerAndPublishesNothing) {
  Sandbox& web = Create(Joined("web"));
  SandboxSpec spec = Joined("db");
  spec.network.publish = {"0:80"};
  const Standings before = Take();
  FailRows();
  EXPECT_FALSE(TryCreate(spec));
  AllowRows();
  EXPECT_EQ(Take(), before);
  EXPECT_THAT(Peers(web.id()), IsEmpty());
}

TEST_F(NetworksTest, AChosenPortIsKeptAndPublishedAgainByTheNextServer) {
  Sandbox& sandbox = Create(With({.publish = {"0:80"}}));
  const SandboxId id = sandbox.id();
  EXPECT_FALSE(engine_->HasNetwork(id)) << "it takes none";
  const std::vector<std::string> rules = sandbox.View().spec.network.publish;
  ASSERT_THAT(rules, SizeIs(1));
  EXPECT_THAT(rules[0], ::testing::Not(HasSubstr(":0:")));
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  EXPECT_TRUE(networks().Published(id).at(0).listening);
  EXPECT_THAT(TryCreate(With({.publish = rules})), FailsWith(ErrorCode::kAlreadyExists));
  FailRows();
  EXPECT_FALSE(transitions().Update(sandbox, {.network = NetworkSpec{}}));
  AllowRows();
  EXPECT_TRUE(networks().Published(id).at(0).listening) << "as it was";
  ASSERT_TRUE(Restart());
  EXPECT_EQ(networks().Published(id).at(0).rule, rules[0]);
  EXPECT_TRUE(networks().Published(id).at(0).listening);
  ASSERT_TRUE(transitions().Destroy(Get(id), "requested"));
  EXPECT_THAT(networks().Published(id), IsEmpty());
}

TEST_F(NetworksTest, WithoutANetworkThereIsNoRelayAndNothingIsAsked) {
  Sandbox& sandbox = Create();
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  ASSERT_TRUE(transitions().Start(sandbox));
  ASSERT_TRUE(transitions().Reset(sandbox));
  EXPECT_EQ(relays_.started, 0U);
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 0U);
  EXPECT_FALSE(networks().NewestFlow(sandbox.id()));
  EXPECT_EQ(networks().Metrics().networks, 0U);
}

TEST_F(NetworksTest, ItIsOpenWhileTheSandboxRuns) {
  Sandbox& sandbox = Create(With(Internet()));
  const SandboxId id = sandbox.id();
  EXPECT_TRUE(engine_->HasNetwork(id));
  EXPECT_TRUE(networks().Look(id).served);
  ASSERT_TRUE(transitions().Pause(sandbox, "requested"));
  EXPECT_TRUE(engine_->HasNetwork(id));
  ASSERT_TRUE(transitions().Resume(sandbox));
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  EXPECT_FALSE(engine_->HasNetwork(id));
  EXPECT_FALSE(networks().Look(id).wanted);
  ASSERT_TRUE(transitions().Start(sandbox));
  EXPECT_TRUE(engine_->HasNetwork(id));
  ASSERT_TRUE(transitions().Reset(sandbox));
  EXPECT_TRUE(engine_->HasNetwork(id));
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 3U);
  ASSERT_TRUE(transitions().Destroy(sandbox, "requested"));
  EXPECT_FALSE(engine_->HasNetwork(id));
  EXPECT_FALSE(networks().NewestFlow(id));
  EXPECT_EQ(relays_.started, 1U);
}

TEST_F(NetworksTest, OfAPausedOneWhatIsNotOpenIsOpenedWhenItIsResumed) {
  Sandbox& sandbox = Create(With(Internet()));
  Sandbox& other = Create();
  ASSERT_TRUE(transitions().Pause(sandbox, "requested"));
  ASSERT_TRUE(transitions().Pause(other, "requested"));
  ASSERT_TRUE(transitions().Update(other, {.network = Internet()}));
  relays_.EndLast();
  EXPECT_TRUE(Eventually([&] { return !networks().Look(sandbox.id()).served; }));
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 1U);
  EXPECT_TRUE(networks().Look(other.id()).wanted);
  engine_->Fail(Call::kOpenNetwork, Broken());
  EXPECT_THAT(transitions().Resume(sandbox), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(sandbox.state(), SandboxState::kPaused);
  ASSERT_TRUE(transitions().Resume(sandbox));
  EXPECT_TRUE(engine_->HasNetwork(sandbox.id()));
  ASSERT_TRUE(transitions().Resume(other));
  EXPECT_TRUE(engine_->HasNetwork(other.id()));
}

TEST_F(NetworksTest, AChangeOfAPausedOneThatIsOpenHolds) {
  Sandbox& sandbox = Create(With(Internet()));
  ASSERT_TRUE(transitions().Pause(sandbox, "requested"));
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Allow({"example.com:443"})}));
  EXPECT_TRUE(engine_->HasNetwork(sandbox.id()));
  ASSERT_TRUE(transitions().Update(sandbox, {.network = NetworkSpec{}}));
  EXPECT_FALSE(engine_->HasNetwork(sandbox.id()));
  ASSERT_TRUE(transitions().Resume(sandbox));
  EXPECT_FALSE(engine_->HasNetwork(sandbox.id()));
}

TEST_F(NetworksTest, TheNextServerOpensTheNetworkOfAPausedOneWhenItIsResumed) {
  Sandbox& paused = Create(With(Internet()));
  const SandboxId id = paused.id();
  ASSERT_TRUE(transitions().Pause(paused, "requested"));
  ASSERT_TRUE(Restart());
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 0U);
  ASSERT_TRUE(transitions().Resume(Get(id)));
  EXPECT_TRUE(engine_->HasNetwork(id));
}

TEST_F(NetworksTest, AVisitHasNone) {
  Sandbox& sandbox = Create(With(Internet()));
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  ASSERT_TRUE(heart_->visits.Enter(sandbox));
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 1U);
  heart_->visits.Leave(sandbox);
}

TEST_F(NetworksTest, ACreateWhoseNetworkCannotBeOpenedLeavesNothing) {
  const Standings before = Take();
  engine_->Fail(Call::kOpenNetwork, Broken(), 2);  // a create is tried twice
  EXPECT_THAT(TryCreate(With(Internet())), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(Take(), before);
  ASSERT_TRUE(Restart());
  relays_.failing = true;
  EXPECT_THAT(TryCreate(With(Internet())), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(Take(), before);
  FailRows();
  relays_.failing = false;
  EXPECT_FALSE(TryCreate(With(Internet())));
  AllowRows();
  EXPECT_EQ(Take(), before);
  EXPECT_EQ(networks().Metrics().networks, 0U);
}

TEST_F(NetworksTest, AStartWhoseNetworkCannotBeOpenedLeavesItStopped) {
  Sandbox& sandbox = Create(With(Internet()));
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  const Standings before = Take();
  engine_->Fail(Call::kOpenNetwork, Broken());
  EXPECT_THAT(transitions().Start(sandbox), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(Take(), before);
  ASSERT_TRUE(transitions().Start(sandbox));
  EXPECT_TRUE(engine_->HasNetwork(sandbox.id()));
}

// There is no way back to the processes before.
TEST_F(NetworksTest, AResetWhoseNetworkCannotBeOpenedSaysSoAndItIsTriedAgain) {
  Sandbox& sandbox = Create(With(Internet()));
  engine_->Fail(Call::kOpenNetwork, Broken());
  EXPECT_THAT(transitions().Reset(sandbox), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(sandbox.state(), SandboxState::kRunning);
  EXPECT_TRUE(Eventually([&] { return engine_->HasNetwork(sandbox.id()); }));
}

TEST_F(NetworksTest, AGuestThatEndsTakesItsNetworkWithIt) {
  Sandbox& sandbox = Create(With(Internet()));
  engine_->EndGuest(sandbox.id(), {.reason = engine::ExitReason::kOomKilled});
  ASSERT_TRUE(heart_->sweeper.OnGone(sandbox.id()));
  EXPECT_FALSE(networks().Look(sandbox.id()).wanted);
  EXPECT_EQ(networks().Metrics().networks, 0U);
}

TEST_F(NetworksTest, AChangeOpensAndClosesIt) {
  Sandbox& sandbox = Create();
  const SandboxId id = sandbox.id();
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Internet()}));
  EXPECT_TRUE(engine_->HasNetwork(id));
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Allow({"example.com:443"})}));
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 1U);  // the same, with other terms
  Knock(id);
  EXPECT_THAT(Reasons(id), ElementsAre(HasSubstr("127.0.0.1")));
  EXPECT_EQ(sandbox.View().spec.network, Allow({"example.com:443"}));
  ASSERT_TRUE(transitions().Update(sandbox, {.network = NetworkSpec{}}));
  EXPECT_FALSE(engine_->HasNetwork(id));
  EXPECT_THAT(Reasons(id), SizeIs(1));  // is still told
}

TEST_F(NetworksTest, OfOneThatIsStoppedAChangeIsForItsNextStart) {
  Sandbox& sandbox = Create();
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Internet()}));
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 0U);
  ASSERT_TRUE(transitions().Start(sandbox));
  EXPECT_TRUE(engine_->HasNetwork(sandbox.id()));
}

TEST_F(NetworksTest, AChangeThatFailsLeavesItAsItWas) {
  Sandbox& sandbox = Create();
  engine_->Fail(Call::kOpenNetwork, Broken());
  EXPECT_THAT(transitions().Update(sandbox, {.network = Internet()}), FailsWith(ErrorCode::kIo));
  EXPECT_TRUE(sandbox.View().spec.network.none());
  EXPECT_FALSE(networks().Look(sandbox.id()).wanted);
  FailRows();
  EXPECT_FALSE(transitions().Update(sandbox, {.network = Internet()}));
  AllowRows();
  EXPECT_FALSE(engine_->HasNetwork(sandbox.id()));
  EXPECT_TRUE(sandbox.View().spec.network.none());
}

TEST_F(NetworksTest, WhatTheEngineOrTheAdministratorDoesNotAllowIsRefused) {
  options_.network.bounds.max_mode = Mode::kAllow;
  core().SetOptions(options_);
  EXPECT_THAT(TryCreate(With(Internet())), FailsWith(ErrorCode::kPermissionDenied));
  EXPECT_THAT(TryCreate(With(Allow({"10.0.0.1:5432"}))), FailsWith(ErrorCode::kPermissionDenied));
  EXPECT_THAT(TryCreate(With(Allow({"*"}))), FailsWith(ErrorCode::kInvalidArgument));
  NetworkSpec greedy = Allow({"example.com"});
  greedy.limits.connections = network::NetworkLimits::kMaxConnections + 1;
  EXPECT_THAT(TryCreate(With(greedy)), FailsWith(ErrorCode::kInvalidArgument));
  Sandbox& sandbox = Create();
  EXPECT_THAT(transitions().Update(sandbox, {.network = Internet()}),
              FailsWith(ErrorCode::kPermissionDenied));
  engine_options_.can.network_policy = false;
  ASSERT_TRUE(Restart());
  EXPECT_THAT(TryCreate(With(Allow({"example.com"}))), FailsWith(ErrorCode::kNotSupported));
}

TEST_F(NetworksTest, NarrowerBoundsCloseWhatTheyDoNotAllowAndWiderOnesOpenItAgain) {
  Sandbox& sandbox = Create(With(Internet()));
  const SandboxId id = sandbox.id();
  options_.network.bounds.max_mode = Mode::kAllow;
  core().SetOptions(options_);
  EXPECT_FALSE(engine_->HasNetwork(id));
  const NetworkStanding closed = networks().Look(id);
  EXPECT_TRUE(closed.wanted);
  EXPECT_FALSE(closed.problem.empty());
  options_.network.bounds.max_mode = Mode::kOpen;
  core().SetOptions(options_);
  EXPECT_TRUE(engine_->HasNetwork(id));
}

TEST_F(NetworksTest, ARelayThatEndsIsReplacedAndServesTheNewestTerms) {
  Sandbox& first = Create(With(Internet()));
  Sandbox& second = Create(With(Internet()));
  ASSERT_TRUE(transitions().Update(second, {.network = Allow({"example.com:443"})}));
  Knock(first.id());
  EXPECT_THAT(Reasons(first.id()), SizeIs(1));
  relays_.EndLast();
  EXPECT_TRUE(Eventually([&] {
    return relays_.started == 2 && engine_->HasNetwork(first.id()) &&
           engine_->HasNetwork(second.id());
  }));
  EXPECT_EQ(networks().Metrics().relay_restarts, 1U);
  Knock(first.id());
  EXPECT_THAT(Reasons(first.id()), SizeIs(2));
  EXPECT_EQ(networks().Look(first.id()).counts.denied, 2U);
  EXPECT_EQ(networks().Metrics().denied, 2U);
  Knock(second.id());
  EXPECT_THAT(Reasons(second.id()), SizeIs(1));
}

TEST_F(NetworksTest, TheNextRelayKnowsTheNamesThatTheOneBeforeGave) {
  Sandbox& first = Create(With(Internet()));
  Sandbox& second = Create(With(Internet()));
  Sandbox& paused = Create(With(Internet()));
  const std::string a = Ask(first.id(), "a.test");
  const std::string b = Ask(first.id(), "b.test");
  EXPECT_EQ(a, "198.18.0.1");
  EXPECT_EQ(Ask(second.id(), "c.test"), a) << "each has addresses of its own";
  EXPECT_EQ(Ask(paused.id(), "a.test"), a);
  ASSERT_TRUE(transitions().Pause(paused, "requested"));
  for (size_t relay = 2; relay < 5; ++relay) {
    relays_.EndLast();
    ASSERT_TRUE(Eventually([&] {
      return relays_.started == relay && networks().Look(first.id()).served &&
             networks().Look(second.id()).served;
    }));
    const std::string name = "n" + std::to_string(relay) + ".test";
    EXPECT_EQ(Ask(first.id(), name), "198.18.0." + std::to_string(relay + 1)) << "another one";
    EXPECT_EQ(Ask(first.id(), "b.test"), b);
    EXPECT_EQ(Ask(first.id(), "a.test"), a);
    EXPECT_EQ(Ask(second.id(), "c.test"), a);
  }
  ASSERT_TRUE(transitions().Resume(paused));
  EXPECT_EQ(Ask(paused.id(), "b.test"), b);
  EXPECT_EQ(Ask(paused.id(), "a.test"), a);
}

TEST_F(NetworksTest, NamesEndWithWhatRuns) {
  Sandbox& sandbox = Create(With(Internet()));
  EXPECT_EQ(Ask(sandbox.id(), "a.test"), "198.18.0.1");
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  ASSERT_TRUE(transitions().Start(sandbox));
  EXPECT_EQ(Ask(sandbox.id(), "b.test"), "198.18.0.1");
}

TEST_F(NetworksTest, WhileNoRelayCanBeStartedConnectionsAreRefused) {
  Sandbox& sandbox = Create(With(Internet()));
  relays_.failing = true;
  relays_.EndLast();
  EXPECT_TRUE(Eventually([&] { return !networks().Look(sandbox.id()).served; }));
  EXPECT_TRUE(Eventually([&] { return !engine_->ConnectInside(sandbox.id()); }));
  EXPECT_FALSE(networks().Look(sandbox.id()).problem.empty());
  relays_.failing = false;
  EXPECT_TRUE(Eventually([&] { return networks().Look(sandbox.id()).served; }));
}

TEST_F(NetworksTest, TheNextServerOpensTheNetworksOfWhatRuns) {
  const SandboxId runs = Create(With(Allow({"example.com:443"}))).id();
  const SandboxId none = Create().id();
  Sandbox& stopped = Create(With(Internet()));
  const SandboxId stopped_id = stopped.id();
  ASSERT_TRUE(transitions().Stop(stopped, "requested"));
  Close();
  ASSERT_TRUE(Open());
  EXPECT_TRUE(engine_->HasNetwork(runs));
  EXPECT_FALSE(engine_->HasNetwork(none));
  EXPECT_FALSE(engine_->HasNetwork(stopped_id));
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 1U);
}

TEST_F(NetworksTest, FlowsAreNumberedUpwardsAndTheOldestAreDropped) {
  FlowRing ring(7);
  for (size_t i = 0; i < FlowRing::kKept + 2; ++i) ring.Add({.port = static_cast<uint16_t>(i)});
  FlowPage page = ring.After(0, 1);
  ASSERT_THAT(page.flows, SizeIs(1));
  EXPECT_EQ(page.flows.front().number, 10U);
  EXPECT_EQ(page.flows.front().flow.port, 2U);
  EXPECT_EQ(page.next, 10U);
  page = ring.After(page.next, 1000);
  EXPECT_THAT(page.flows, SizeIs(FlowRing::kKept - 1));
  EXPECT_EQ(page.next, ring.last());
  EXPECT_THAT(ring.After(ring.last(), 9).flows, IsEmpty());
  ring.Skip(3);
  ring.Add({});
  EXPECT_EQ(ring.After(page.next, 9).flows.front().number, page.next + 4);
}

TEST_F(NetworksTest, WhatIsDeniedIsAnEventAtABoundedRate) {
  Sandbox& sandbox = Create(With(Internet()));
  const SandboxId id = sandbox.id();
  const uint64_t before = *networks().NewestFlow(id);
  constexpr uint32_t kKnocks = NetworkKeeper::kEventsPerSecond + 3;
  for (uint32_t i = 0; i < kKnocks; ++i) {
    Knock(id);
    EXPECT_TRUE(networks().NewestFlow(id));  // told, so that each is one of its own
  }
  const std::vector<Event> denials = Denials();
  ASSERT_FALSE(denials.empty());
  EXPECT_LT(denials.size(), kKnocks);
  EXPECT_EQ(denials.front().sandbox, id.text());
  EXPECT_EQ(denials.front().owner, "me");
  EXPECT_THAT(denials.front().data,
              AllOf(HasSubstr(R"("address":"127.0.0.1")"), HasSubstr(R"("untold_before":0)")));
  const DeniedFlows denied = networks().DeniedAfter(id, before);
  uint64_t times = 0;
  for (const network::Flow& flow : denied.flows) times += flow.times;
  EXPECT_EQ(times + denied.more, kKnocks);
}

// Nobody has to ask.
TEST_F(NetworksTest, NewsOfTheRelayAreReadAsTheyCome) {
  Sandbox& sandbox = Create(With(Internet()));
  Knock(sandbox.id());
  EXPECT_TRUE(Eventually([&] { return !Denials().empty(); }));
}

TEST_F(NetworksTest, ACheckAsksARelayOfItsOwn) {
  const SandboxId nobody = *SandboxId::Generate();
  const NetworkSpec spec = Allow({"93.184.0.0/16:5432"});
  const auto allowed = networks().Check(nobody, spec, "93.184.0.7", 5432);
  ASSERT_TRUE(allowed) << allowed.error().ToString();
  EXPECT_TRUE(allowed->allowed);
  EXPECT_EQ(allowed->rule, "93.184.0.0/16:5432");
  ASSERT_THAT(allowed->targets, SizeIs(1));
  EXPECT_EQ(allowed->targets.front().address, "93.184.0.7");
  const auto denied = networks().Check(nobody, spec, "93.184.0.7", 5433);
  ASSERT_TRUE(denied);
  EXPECT_FALSE(denied->allowed);
  EXPECT_THAT(denied->reason, HasSubstr("no rule"));
  EXPECT_EQ(relays_.started, 2U);
  EXPECT_EQ(networks().Metrics().networks, 0U) << "no network was opened for it";
  relays_.failing = true;
  EXPECT_FALSE(networks().Check(nobody, spec, "93.184.0.7", 5432));
}

TEST_F(NetworksTest, AtMostSoManyChecksAreUnderWay) {
  std::atomic<int> begun = 0;
  std::atomic<bool> go = false;
  const auto start = [&](RelayUse) -> Result<network::RelayProcess> {
    ++begun;
    begun.notify_all();
    go.wait(false);
    return Failure(Error(ErrorCode::kIo, Fault::kMachine, "no process"));
  };
  RelaySupply supply({.start = start}, [](const auto&, const network::DialRequest&) {});
  std::vector<std::thread> checks;
  for (int i = 0; i < RelaySupply::kMaxChecks; ++i)
    checks.emplace_back([&] { EXPECT_EQ(supply.Check({}).error().code(), ErrorCode::kIo); });
  for (int count = begun; count < RelaySupply::kMaxChecks; count = begun) begun.wait(count);
  const auto more = supply.Check({});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(more.error().fault(), Fault::kMachine);
  go = true;
  go.notify_all();
  for (std::thread& check : checks) check.join();
  EXPECT_EQ(supply.Check({}).error().code(), ErrorCode::kIo) << "there is room again";
}

}  // namespace
}  // namespace cay::sandbox
