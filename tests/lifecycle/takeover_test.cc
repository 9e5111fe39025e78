// Networks of sandboxes when the server ends and there is a next one, over a fake engine and relays
// that are threads of the test: what is open stays as it is, unless it must not be.
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <list>
#include <thread>

#include "lifecycle_fixture.h"
#include "network/names/test_question.h"
#include "network/relay/relay.h"

namespace cay::sandbox {
namespace {

using network::MessageType;
using network::Mode;
using ::testing::SizeIs;

// Relays with doors in one directory. Of processes that they are not, a pipe stands for the pidfd:
// what kills one is seen by none.
class LastingRelays {
 public:
  explicit LastingRelays(std::string directory) : directory_(std::move(directory)) {}
  // After their controllers. Whom nobody can find ends.
  ~LastingRelays() {
    std::filesystem::remove_all(directory_ + "/relay");
    for (std::thread& relay : all_) relay.join();
  }

  Result<network::RelayProcess> Start() {
    SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
    network::Door door = TRY(network::MakeDoor(directory_));
    TRY(network::Listen(door));
    all_.emplace_back([control = std::move(pair.second), door = std::move(door)]() mutable {
      auto relay = network::Relay::Create(std::move(control), std::move(door));
      if (relay) (void)(*relay)->Run();
    });
    ++started;
    return WithPipe(std::move(pair.first));
  }
  Result<std::optional<network::RelayProcess>> Find() {
    if (stranger_) {
      auto process = TRY(WithPipe(*std::move(stranger_)));
      stranger_.reset();
      return process;
    }
    auto found = TRY(network::KnockAtDoor(directory_));
    if (!found) return std::nullopt;
    if (ends_the_next_) found_ = TRY(found->control.Duplicate());
    return TRY(WithPipe(std::move(found->control)));
  }
  // What is found next can be ended as if it were killed: it ends when another one has its door.
  void WillEndTheNext() { ends_the_next_ = true; }
  void EndIt() {
    ::shutdown(found_->get(), SHUT_RDWR);
    found_.reset();
    ends_the_next_ = false;
  }

  // What the next server finds answers each request with this, once, and then no more.
  void AnswerAsStranger(MessageType type, const std::string& body) {
    auto pair = MakeSocketPair(SOCK_SEQPACKET);
    ASSERT_TRUE(pair);
    stranger_ = std::move(pair->first);
    all_.emplace_back([socket = std::move(pair->second), type, body] {
      (void)ipc::ReceivePacket(socket);
      (void)ipc::SendPacket(socket, static_cast<uint8_t>(type), body);
      (void)ipc::ReceivePacket(socket);
    });
  }

  std::atomic<size_t> started = 0;

 private:
  static Result<network::RelayProcess> WithPipe(Fd control) {
    Pipe ended = TRY(MakePipe());
    return network::RelayProcess{.control = std::move(control), .pidfd = std::move(ended.read)};
  }

  const std::string directory_;
  std::optional<Fd> stranger_;
  bool ends_the_next_ = false;
  std::optional<Fd> found_;
  std::list<std::thread> all_;
};

class TakeoverTest : public LifecycleTest {
 protected:
  TakeoverTest() : relays_(directory_) {
    relays_from_ = {
        .start = [this](RelayUse) { return relays_.Start(); },
        .find = [this] { return relays_.Find(); },
    };
    if (!Restart()) std::abort();
  }
  ~TakeoverTest() override { Close(); }

  NetworkKeeper& networks() { return *core().networks; }
  static SandboxSpec Allow(std::vector<std::string> rules) {
    return {.network = {.policy = {.mode = Mode::kAllow, .allow = std::move(rules)}}};
  }
  static SandboxSpec Internet() { return {.network = {.policy = {.mode = Mode::kOpen}}}; }

  // A connection that a program inside makes, and that is refused in words of the flow log. While
  // there is no server, too.
  void Knock(const SandboxId& id) {
    uint16_t port = 0;
    {
      const std::lock_guard lock(machine_->mutex);
      port = machine_->sandboxes.at(id).network_port;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    const Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    char byte = 0;
    EXPECT_LE(::recv(socket.get(), &byte, 1, 0), 0);
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
  bool IsOpen(const SandboxId& id) {
    FakeEngine engine(machine_, engine_options_);
    return engine.HasNetwork(id);
  }
  std::vector<uint64_t> Numbers(const SandboxId& id) {
    std::vector<uint64_t> numbers;
    for (const NumberedFlow& one : networks().FlowsAfter(id, 0, FlowRing::kKept).flows)
      numbers.push_back(one.number);
    return numbers;
  }
  size_t CountDenials() {
    size_t denials = 0;
    for (const Event& event : events_->After(0, {}, 1000, Millis(0)).events)
      denials += event.type == "sandbox.network_denied" ? 1 : 0;
    return denials;
  }

  LastingRelays relays_;
};

TEST_F(TakeoverTest, TheNextServerGoesOnWithTheNetworksOfWhatRuns) {
  const SandboxId id = Create(Allow({"example.com:443"})).id();
  const SandboxId none = Create().id();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Restart());
    EXPECT_TRUE(networks().Look(id).served);
    EXPECT_EQ(networks().Look(id).steering, network::Steering::kLookup);
    EXPECT_FALSE(IsOpen(none));
    EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 0U);
    Knock(id);
  }
  EXPECT_EQ(relays_.started, 1U);
  EXPECT_EQ(networks().Metrics().relay_restarts, 0U);
  ASSERT_TRUE(transitions().Update(Get(id), {.network = NetworkSpec{}}));
  EXPECT_FALSE(IsOpen(id)) << "it is this server's";
}

TEST_F(TakeoverTest, AllFlowsAreToldWithNewNumbersAndAreEventsOnce) {
  const SandboxId id = Create(Internet()).id();
  Knock(id);
  const std::vector<uint64_t> before = Numbers(id);
  ASSERT_THAT(before, SizeIs(1));
  EXPECT_EQ(networks().Metrics().denied, 1U);
  Close();
  Knock(id);
  clock_.Advance(Millis(1000));  // numbers begin with the time
  ASSERT_TRUE(Open());
  const std::vector<uint64_t> after = Numbers(id);
  ASSERT_THAT(after, SizeIs(2));
  EXPECT_GT(after.front(), before.back());
  EXPECT_EQ(CountDenials(), 2U);
  EXPECT_EQ(networks().Look(id).counts.denied, 2U) << "its own go on";
  EXPECT_EQ(networks().Metrics().denied, 1U) << "the server's are of what it was told";
  clock_.Advance(Millis(1000));
  ASSERT_TRUE(Restart());
  const std::vector<uint64_t> again = Numbers(id);
  ASSERT_THAT(again, SizeIs(2));
  EXPECT_GT(again.front(), after.back());
  EXPECT_EQ(CountDenials(), 2U);
  EXPECT_EQ(networks().Metrics().denied, 0U);
  Knock(id);
  EXPECT_THAT(Numbers(id), SizeIs(3));
  EXPECT_EQ(CountDenials(), 3U);
}

TEST_F(TakeoverTest, NamesAreThoseOfTheRelayBeforeEvenIfAnotherServerHadIt) {
  const SandboxId id = Create(Internet()).id();
  const std::string a = Ask(id, "a.test");
  Close();
  const std::string b = Ask(id, "b.test");
  relays_.WillEndTheNext();
  ASSERT_TRUE(Open());
  EXPECT_EQ(Ask(id, "a.test"), a);
  relays_.EndIt();
  ASSERT_TRUE(Eventually([&] { return relays_.started == 2 && networks().Look(id).served; }));
  EXPECT_EQ(Ask(id, "c.test"), "198.18.0.3");
  EXPECT_EQ(Ask(id, "b.test"), b);
  EXPECT_EQ(Ask(id, "a.test"), a);
}

// Nobody has to ask for them.
TEST_F(TakeoverTest, WhatWasDeniedInTheMeantimeIsAnEvent) {
  const SandboxId id = Create(Internet()).id();
  Close();
  Knock(id);
  ASSERT_TRUE(Open());
  EXPECT_EQ(CountDenials(), 1U);
}

TEST_F(TakeoverTest, APausedOneKeepsItsNetwork) {
  Sandbox& paused = Create(Internet());
  const SandboxId id = paused.id();
  ASSERT_TRUE(transitions().Pause(paused, "requested"));
  ASSERT_TRUE(Restart());
  EXPECT_TRUE(networks().Look(id).served);
  ASSERT_TRUE(transitions().Resume(Get(id)));
  EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 0U);
  EXPECT_TRUE(IsOpen(id));
}

TEST_F(TakeoverTest, WhatIsNotRunningAnyMoreIsClosed) {
  const SandboxId gone = Create(Internet()).id();
  const SandboxId runs = Create(Internet()).id();
  Close();
  {
    FakeEngine engine(machine_, engine_options_);
    ASSERT_TRUE(engine.Destroy(gone));
  }
  ASSERT_TRUE(Open());
  EXPECT_EQ(networks().Metrics().networks, 1U);
  EXPECT_TRUE(IsOpen(runs));
}

TEST_F(TakeoverTest, WhatNobodyKnowsOfIsClosed) {
  const SandboxId orphan = Create(Internet()).id();
  const SandboxId known = Create(Internet()).id();
  ASSERT_TRUE(store_->Write([&](store::Database& db) {
    return db.Execute("DELETE FROM sandbox WHERE id = '" + orphan.text() + "'");
  }));
  ASSERT_TRUE(Restart());
  EXPECT_FALSE(IsOpen(orphan));
  EXPECT_TRUE(IsOpen(known));
}

TEST_F(TakeoverTest, WhatTheAdministratorDoesNotAllowAnyMoreIsClosed) {
  Sandbox& paused = Create(Internet());
  const SandboxId paused_id = paused.id();
  ASSERT_TRUE(transitions().Pause(paused, "requested"));
  const SandboxId wide = Create(Internet()).id();
  const SandboxId narrow = Create(Allow({"example.com:443"})).id();
  options_.network.bounds.max_mode = Mode::kAllow;
  ASSERT_TRUE(Restart());
  EXPECT_FALSE(IsOpen(wide));
  EXPECT_FALSE(IsOpen(paused_id));
  EXPECT_TRUE(IsOpen(narrow));
  EXPECT_FALSE(networks().Look(wide).problem.empty());
  options_.network.bounds.max_mode = Mode::kOpen;
  core().SetOptions(options_);
  EXPECT_TRUE(IsOpen(wide));
  EXPECT_EQ(relays_.started, 1U);
}

// What it was started with cannot be changed.
TEST_F(TakeoverTest, ARelayWithOtherNameServersIsReplaced) {
  const SandboxId id = Create(Internet()).id();
  options_.network.resolvers = {"127.0.0.1:5353"};
  Close();
  ASSERT_TRUE(Open());
  EXPECT_EQ(relays_.started, 2U);
  EXPECT_EQ(networks().Metrics().relay_restarts, 1U);
  EXPECT_TRUE(Eventually([&] { return networks().Look(id).served; }));
  Knock(id);
}

TEST_F(TakeoverTest, WhatDoesNotSpeakAsARelayDoesIsReplaced) {
  const SandboxId id = Create(Internet()).id();
  const std::string refusal =
      ipc::EncodeError(Error(ErrorCode::kNotSupported, Fault::kMachine, "another version"));
  using Answer = std::pair<MessageType, std::string>;
  for (const Answer& answer :
       {Answer(MessageType::kFailed, refusal), Answer(MessageType::kFlowsAre, ""),
        Answer(MessageType::kDone, "") /* and then it ends */}) {
    Close();
    std::filesystem::remove_all(directory_ + "/relay");  // so that the one that served ends
    EXPECT_TRUE(Eventually([&] { return !IsOpen(id); }));
    relays_.AnswerAsStranger(answer.first, answer.second);
    const size_t before = relays_.started;
    ASSERT_TRUE(Open());
    EXPECT_EQ(relays_.started, before + 1);
    EXPECT_TRUE(networks().Look(id).served);
    EXPECT_EQ(engine_->calls(Call::kOpenNetwork), 1U);
    engine_.reset();
    Close();
  }
  ASSERT_TRUE(Open());
}

TEST_F(TakeoverTest, AServerThatCannotStartLeavesItToTheNext) {
  const SandboxId id = Create(Internet()).id();
  Close();
  engine_ = std::make_unique<FakeEngine>(machine_, engine_options_);
  engine_->Fail(Call::kList, Broken());
  EXPECT_FALSE(Open());
  Close();
  EXPECT_TRUE(IsOpen(id));
  ASSERT_TRUE(Open());
  EXPECT_TRUE(networks().Look(id).served);
  EXPECT_EQ(relays_.started, 1U);
}

}  // namespace
}  // namespace cay::sandbox
