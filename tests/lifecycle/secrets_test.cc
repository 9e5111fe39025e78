// Secrets of sandboxes, over a fake engine and a relay that is a thread of the test, behind a tap
// that hears what the server says to it.
#include <poll.h>

#include <filesystem>
#include <mutex>

#include "base/os/file.h"
#include "guest_link/guest_channel.h"
#include "lifecycle_fixture.h"
#include "sandbox/lifecycle/orphans.h"
#include "sandbox/records/sandbox_json.h"
#include "sandbox/secrets/trust.h"
#include "test_relays.h"

namespace cay::sandbox {
namespace {

using network::MessageType;
using network::Mode;
using network::Secret;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// What relays were told, in order.
class Heard {
 public:
  void Add(const ipc::Packet& packet) {
    const std::lock_guard lock(mutex_);
    types_.push_back(static_cast<MessageType>(packet.type));
    if (types_.back() == MessageType::kAuthority)
      authority_ = protocol::Decode<network::AuthorityRequest>(packet.body)->certificate;
    if (types_.back() == MessageType::kOpen) {
      const auto open = protocol::Decode<network::OpenRequest>(packet.body);
      terms_[open->sandbox] = open->terms;
    }
    if (types_.back() == MessageType::kPolicy) {
      const auto policy = protocol::Decode<network::PolicyRequest>(packet.body);
      terms_[policy->sandbox] = policy->terms;
    }
  }
  std::vector<Secret> SecretsOf(const SandboxId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = terms_.find(id.text());
    return found == terms_.end() ? std::vector<Secret>() : found->second.secrets;
  }
  std::string authority() const {
    const std::lock_guard lock(mutex_);
    return authority_;
  }
  size_t Count(MessageType type) const {
    const std::lock_guard lock(mutex_);
    return static_cast<size_t>(std::ranges::count(types_, type));
  }

 private:
  mutable std::mutex mutex_;
  std::vector<MessageType> types_;
  std::string authority_;
  std::map<std::string, network::Terms> terms_;
};

// Hands packets on between the server and a relay, until one of them ends.
class Tap {
 public:
  Tap(Fd server, Fd relay, Heard& heard)
      : thread_([server = std::move(server), relay = std::move(relay), &heard] {
          while (true) {
            pollfd pollers[] = {{server.get(), POLLIN, 0}, {relay.get(), POLLIN, 0}};
            ::poll(pollers, 2, -1);
            if (pollers[0].revents != 0 && !Pass(server, relay, &heard)) return;
            if (pollers[1].revents != 0 && !Pass(relay, server, nullptr)) return;
          }
        }) {}
  ~Tap() { thread_.join(); }
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

 private:
  static bool Pass(const Fd& from, const Fd& to, Heard* heard) {
    auto packet = ipc::ReceivePacket(from);
    if (!packet || !*packet) return false;
    if (heard != nullptr) heard->Add(**packet);
    std::vector<const Fd*> fds;
    for (const Fd& fd : (*packet)->fds) fds.push_back(&fd);
    return ipc::SendPacket(to, (*packet)->type, (*packet)->body, fds).has_value();
  }

  std::thread thread_;
};

class SecretsTest : public LifecycleTest {
 protected:
  SecretsTest() {
    relays_from_ = {.start = [this](RelayUse) -> Result<network::RelayProcess> {
      network::RelayProcess process = TRY(relays_.Start());
      SocketPair pair = TRY(MakeSocketPair(SOCK_SEQPACKET));
      taps_.emplace_back(std::move(pair.second), std::move(process.control), heard_);
      return network::RelayProcess{.control = std::move(pair.first),
                                   .pidfd = std::move(process.pidfd)};
    }};
    if (!Restart()) std::abort();
    Keep("my-api", "v4lue");
  }
  ~SecretsTest() override { Close(); }

  void Keep(const std::string& name, const std::string& value, const std::string& owner = "me") {
    const auto put =
        core().secrets.Put({.secret = {.name = name, .hosts = {"a.example"}, .value = value},
                            .variable = VariableFor(name),
                            .owner = owner});
    ASSERT_TRUE(put) << put.error().ToString();
  }
  static NetworkSpec Naming(std::vector<std::string> names) {
    NetworkSpec spec{.policy = {.mode = Mode::kAllow, .allow = {"a.example"}}};
    spec.secrets = std::move(names);
    return spec;
  }
  static SandboxSpec With(std::vector<std::string> names) {
    return {.network = Naming(std::move(names))};
  }
  // What programs inside trust.
  std::string Bundle(const SandboxId& id) {
    const GuestChannel guest([&] { return engine_->Connect(id); });
    std::string text;
    (void)guest.ReadFile({.user = {}, .path = std::string(TrustFile(false))},
                         [&](std::string_view bytes) -> Result<void> {
                           text += bytes;
                           return {};
                         });
    return text;
  }
  std::string Authority() { return core().secrets.Authority()->identity.certificate; }
  static std::string Placeholder(const Sandbox& sandbox) {
    const auto granted = sandbox.View().spec.network.granted;
    return granted.empty() ? "" : granted[0].placeholder;
  }
  std::string Sent(const SandboxId& id) {
    const auto secrets = heard_.SecretsOf(id);
    return secrets.empty() ? "none" : secrets[0].revoked ? "revoked" : secrets[0].value;
  }

  Heard heard_;
  Relays relays_;
  std::list<Tap> taps_;
};

TEST_F(SecretsTest, ASandboxHasAPlaceholderAndTheRelayTheValue) {
  Sandbox& sandbox = Create(With({"my-api"}));
  const auto secrets = heard_.SecretsOf(sandbox.id());
  ASSERT_THAT(secrets, SizeIs(1));
  EXPECT_EQ(secrets[0].value, "v4lue");
  EXPECT_EQ(secrets[0].placeholder, Placeholder(sandbox));
  EXPECT_EQ(heard_.authority(), Authority());
  EXPECT_THAT(Bundle(sandbox.id()), HasSubstr(Authority()));
  EXPECT_THAT(DocumentOf(sandbox.Record()), Not(HasSubstr("v4lue")));
  EXPECT_NE(Placeholder(Create(With({"my-api"}))), Placeholder(sandbox));
  EXPECT_EQ(heard_.Count(MessageType::kAuthority), 1U);
}

TEST_F(SecretsTest, WithoutOneThereIsNoAuthority) {
  Sandbox& sandbox = Create(With({}));
  EXPECT_THAT(Bundle(sandbox.id()), IsEmpty());
  EXPECT_EQ(heard_.Count(MessageType::kAuthority), 0U);
  EXPECT_EQ(engine_->calls(Call::kConnect), 1U) << "the test's";
}

TEST_F(SecretsTest, WhatIsNotTheOwnersIsNotThere) {
  Keep("theirs", "0ther", "team");
  const Standings before = Take();
  EXPECT_THAT(TryCreate(With({"theirs"})), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(TryCreate(With({"unknown"})), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(Take(), before);
  Sandbox& sandbox = Create();
  EXPECT_THAT(transitions().Update(sandbox, {.network = Naming({"theirs"})}),
              FailsWith(ErrorCode::kNotFound));
}

TEST_F(SecretsTest, AChangedValueAndARemovalHoldAtOnce) {
  Sandbox& sandbox = Create(With({"my-api"}));
  Sandbox& paused = Create(With({"my-api"}));
  Keep("my-api", "n3w");
  EXPECT_EQ(Sent(sandbox.id()), "n3w");
  ASSERT_TRUE(transitions().Pause(paused, "requested"));
  ASSERT_TRUE(core().secrets.Remove("me", "my-api"));
  EXPECT_EQ(Sent(sandbox.id()), "revoked");
  EXPECT_EQ(Sent(paused.id()), "revoked");
  EXPECT_TRUE(core().networks->Look(sandbox.id()).served);
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  ASSERT_TRUE(transitions().Start(sandbox));
  EXPECT_EQ(Sent(sandbox.id()), "revoked");
  Keep("my-api", "again");
  EXPECT_EQ(Sent(sandbox.id()), "again");
}

TEST_F(SecretsTest, AnotherOwnersOfTheSameNameIsNotSent) {
  Sandbox& sandbox = Create(With({"my-api"}));
  Keep("my-api", "theirs", "team");
  EXPECT_EQ(Sent(sandbox.id()), "v4lue");
  ASSERT_TRUE(core().secrets.Remove("team", "my-api"));
  EXPECT_EQ(Sent(sandbox.id()), "v4lue");
}

TEST_F(SecretsTest, AChangeByAnotherProcessIsSeen) {
  Sandbox& sandbox = Create(With({"my-api"}));
  ASSERT_TRUE(SecretBook(directory_).Remove("me", "my-api"));
  EXPECT_TRUE(Eventually([&] { return Sent(sandbox.id()) == "revoked"; }));
}

TEST_F(SecretsTest, TheNextRelayAndTheNextServerGoOnWithTheSame) {
  Sandbox& sandbox = Create(With({"my-api"}));
  const SandboxId id = sandbox.id();
  const std::string placeholder = Placeholder(sandbox);
  const std::string authority = Authority();
  relays_.EndLast();
  EXPECT_TRUE(Eventually([&] {
    return heard_.Count(MessageType::kAuthority) == 2 && core().networks->Look(id).served;
  }));
  EXPECT_EQ(Sent(id), "v4lue");
  ASSERT_TRUE(Restart());
  EXPECT_EQ(Placeholder(Get(id)), placeholder);
  EXPECT_EQ(Authority(), authority);
  EXPECT_EQ(heard_.Count(MessageType::kAuthority), 3U);
  EXPECT_EQ(Sent(id), "v4lue");
}

TEST_F(SecretsTest, ANewGuestIsGivenTheCertificatesBeforeAnybodyUsesIt) {
  Sandbox& sandbox = Create(With({"my-api"}));
  const std::string placeholder = Placeholder(sandbox);
  ASSERT_TRUE(transitions().Reset(sandbox));
  EXPECT_THAT(Bundle(sandbox.id()), HasSubstr(Authority()));
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  ASSERT_TRUE(transitions().Start(sandbox));
  EXPECT_THAT(Bundle(sandbox.id()), HasSubstr(Authority()));
  EXPECT_EQ(Placeholder(sandbox), placeholder);
}

TEST_F(SecretsTest, WhereTheCertificatesCannotBeGivenAllIsAsBefore) {
  const Standings before = Take();
  engine_->Fail(Call::kConnect, Broken());
  EXPECT_THAT(TryCreate(With({"my-api"})), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(Take(), before);
  Sandbox& sandbox = Create(With({}));
  engine_->Fail(Call::kConnect, Broken());
  EXPECT_THAT(transitions().Update(sandbox, {.network = Naming({"my-api"})}),
              FailsWith(ErrorCode::kIo));
  EXPECT_THAT(sandbox.View().spec.network.granted, IsEmpty());
  EXPECT_EQ(Sent(sandbox.id()), "none");
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Naming({"my-api"})}));
  EXPECT_THAT(Bundle(sandbox.id()), HasSubstr(Authority()));
  ASSERT_TRUE(transitions().Stop(sandbox, "requested"));
  engine_->Fail(Call::kConnect, Broken());
  EXPECT_THAT(transitions().Start(sandbox), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(sandbox.state(), SandboxState::kStopped);
}

TEST_F(SecretsTest, AChangeAddsAndTakesAway) {
  Keep("other", "0ther");
  Sandbox& sandbox = Create(With({"my-api"}));
  const std::string placeholder = Placeholder(sandbox);
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Naming({"my-api", "other"})}));
  EXPECT_EQ(Placeholder(sandbox), placeholder);
  EXPECT_THAT(heard_.SecretsOf(sandbox.id()), SizeIs(2));
  FailRows();
  EXPECT_FALSE(transitions().Update(sandbox, {.network = Naming({})}));
  AllowRows();
  EXPECT_THAT(heard_.SecretsOf(sandbox.id()), SizeIs(2));
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Naming({})}));
  EXPECT_THAT(heard_.SecretsOf(sandbox.id()), IsEmpty());
}

TEST_F(SecretsTest, APausedOneIsGivenTheCertificatesWhenItIsResumed) {
  Sandbox& sandbox = Create(With({}));
  ASSERT_TRUE(transitions().Pause(sandbox, "requested"));
  ASSERT_TRUE(transitions().Update(sandbox, {.network = Naming({"my-api"})}));
  ASSERT_TRUE(transitions().Resume(sandbox));
  EXPECT_THAT(Bundle(sandbox.id()), HasSubstr(Authority()));
}

TEST_F(SecretsTest, ARelayThatServesTakesAnotherAuthority) {
  Sandbox& sandbox = Create(With({"my-api"}));
  std::filesystem::remove(directory_ + "/secrets.authority");
  ASSERT_TRUE(transitions().Reset(sandbox));
  EXPECT_EQ(relays_.started, 1U);
  EXPECT_EQ(heard_.authority(), Authority());
  EXPECT_THAT(Bundle(sandbox.id()), HasSubstr(Authority()));
  EXPECT_TRUE(core().networks->Look(sandbox.id()).served);
}

TEST_F(SecretsTest, ALostAuthorityIsReplacedInWhatRuns) {
  Sandbox& sandbox = Create(With({"my-api"}));
  const SandboxId id = sandbox.id();
  const std::string before = Authority();
  Close();
  std::filesystem::remove(directory_ + "/secrets.authority");
  ASSERT_TRUE(Open());
  EXPECT_NE(Authority(), before);
  EXPECT_THAT(Bundle(id), HasSubstr(Authority()));
  EXPECT_EQ(heard_.authority(), Authority());
}

// The secret would be another owner's of the same name.
TEST_F(SecretsTest, AnAdoptedOneKeepsItsSecretsWithItsOwnerOnly) {
  Keep("my-api", "theirs", "team");
  Sandbox& first = Create(With({"my-api"}));
  Sandbox& second = Create(With({"my-api"}));
  const SandboxId ids[] = {first.id(), second.id()};
  ASSERT_TRUE(core().store.Flush());
  Close();
  for (const char* file : {"/cay.db", "/cay.db-wal", "/cay.db-shm"})
    std::filesystem::remove(directory_ + file);
  ASSERT_TRUE(Open());
  const Caller admin{.owner = "ops", .admin = true};
  ASSERT_TRUE(AdoptOrphan(core(), admin, ids[0].text(), {}));
  EXPECT_EQ(Sent(ids[0]), "v4lue");
  const auto moved = AdoptOrphan(core(), admin, ids[1].text(), {.owner = "team"});
  ASSERT_TRUE(moved) << moved.error().ToString();
  EXPECT_THAT(moved->spec.network.granted, IsEmpty());
  EXPECT_THAT(moved->spec.network.secrets, IsEmpty());
  EXPECT_EQ(Sent(ids[1]), "none");
}

TEST_F(SecretsTest, ABookThatCannotBeReadClosesTheirNetworksAlone) {
  Sandbox& with = Create(With({"my-api"}));
  Sandbox& without = Create(With({}));
  const SandboxId ids[] = {with.id(), without.id()};
  Close();
  ASSERT_TRUE(WriteFileAtomic(directory_ + "/secrets.key", std::string(32, 'x'), 0600));
  ASSERT_TRUE(Open());
  EXPECT_TRUE(core().networks->Look(ids[1]).served);
  const NetworkStanding closed = core().networks->Look(ids[0]);
  EXPECT_FALSE(closed.served);
  EXPECT_THAT(closed.problem, HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace cay::sandbox
