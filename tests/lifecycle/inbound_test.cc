// Connections into sandboxes, over guests that a test plays: what does not answer costs only its
// own sandbox, and what is listened on is listened on once.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <future>

#include "guest_link/guest_call.h"
#include "lifecycle_fixture.h"
#include "sandbox/network/doors.h"

namespace cay::sandbox {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// The other ends of connections to guests, which the test answers.
class InboundTest : public ::testing::Test {
 protected:
  InboundTest()
      : doors_([this](const SandboxId& id, uint16_t port) { return Ask(id, port); },
               {.pass = [this](const Publisher&, const Visitor& visitor, const Fd& outside,
                               const Fd& inside) -> Result<void> {
                  const std::lock_guard lock(mutex_);
                  visitors_.push_back(visitor);
                  passed_.emplace_back(TRY(outside.Duplicate()), TRY(inside.Duplicate()));
                  return {};
                },
                .refused =
                    [this](const Publisher&, const Visitor& visitor, const Error& why) {
                      const std::lock_guard lock(mutex_);
                      refused_.push_back(visitor.rule + ": " + why.message());
                    },
                .told =
                    [this](const Publisher&, const PublishedStanding& standing) {
                      const std::lock_guard lock(mutex_);
                      told_.push_back(standing.problem);
                    }}) {}

  Result<PendingPort> Ask(const SandboxId& id, uint16_t port) {
    SocketPair pair = TRY(MakeSocketPair(SOCK_STREAM));
    {
      const std::lock_guard lock(mutex_);
      guests_[id].push_back(std::move(pair.second));
    }
    const GuestChannel guest([&]() -> Result<Fd> { return std::move(pair.first); });
    return guest.BeginConnectPort(port);
  }
  size_t Asked(const SandboxId& id) {
    const std::lock_guard lock(mutex_);
    return guests_[id].size();
  }
  void Answer(const SandboxId& id, size_t which, protocol::FrameType type,
              const std::string& payload = {}) {
    const std::lock_guard lock(mutex_);
    const std::string frame = protocol::MakeFrame(type, payload);
    EXPECT_GT(::send(guests_[id].at(which).get(), frame.data(), frame.size(), MSG_NOSIGNAL), 0);
  }
  std::future<Result<Fd>> Dial(const SandboxId& id, const std::string& owner = "me") {
    const auto done = std::make_shared<std::promise<Result<Fd>>>();
    doors_.Dial({.sandbox = id, .owner = owner, .port = 80},
                [done](Result<Fd> socket) { done->set_value(std::move(socket)); });
    return done->get_future();
  }
  static bool IsDone(const std::future<Result<Fd>>& dial) {
    return dial.wait_for(Millis(0)) == std::future_status::ready;
  }
  static Fd Connect(uint16_t port) {
    Fd socket = Fd::Adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
    return socket;
  }
  Publisher Named(const std::string& name, const std::string& owner = "me") {
    return {.sandbox = *SandboxId::Generate(), .owner = owner, .name = name};
  }

  std::mutex mutex_;
  std::map<SandboxId, std::vector<Fd>> guests_;
  std::vector<std::pair<Fd, Fd>> passed_;
  std::vector<Visitor> visitors_;
  std::vector<std::string> refused_;
  std::vector<std::string> told_;
  const SandboxId id_ = *SandboxId::Generate();
  Doors doors_;
};

TEST_F(InboundTest, AGuestThatAnswersGivesASocket) {
  auto dial = Dial(id_);
  ASSERT_TRUE(Eventually([&] { return Asked(id_) == 1; }));
  EXPECT_FALSE(IsDone(dial));
  // With what the port says at once, none of which is lost.
  Answer(id_, 0, protocol::FrameType::kConnected);
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(::send(guests_[id_][0].get(), "hello", 5, MSG_NOSIGNAL), 5);
  }
  const Result<Fd> socket = dial.get();
  ASSERT_TRUE(socket) << socket.error().ToString();
  std::array<char, 5> space;
  ASSERT_TRUE(SetNonBlocking(*socket, false));
  EXPECT_EQ(::recv(socket->get(), space.data(), space.size(), MSG_WAITALL), 5);
}

TEST_F(InboundTest, AGuestThatBreaksTheProtocolOrEndsIsAFailure) {
  auto wrong = Dial(id_);
  ASSERT_TRUE(Eventually([&] { return Asked(id_) == 1; }));
  Answer(id_, 0, protocol::FrameType::kDone);
  EXPECT_THAT(wrong.get(), FailsWith(ErrorCode::kProtocol));
  auto ended = Dial(id_);
  ASSERT_TRUE(Eventually([&] { return Asked(id_) == 2; }));
  {
    const std::lock_guard lock(mutex_);
    guests_[id_].pop_back();
  }
  EXPECT_THAT(ended.get(), FailsWith(ErrorCode::kUnavailable));
}

TEST_F(InboundTest, AGuestThatIsSilentCostsOnlyItsOwnSandbox) {
  std::vector<std::future<Result<Fd>>> silent;
  for (size_t i = 0; i < PortDialer::kPerSandbox + PortDialer::kWaiting; ++i)
    silent.push_back(Dial(id_));
  // One more is too many; those before wait.
  EXPECT_THAT(Dial(id_).get(), FailsWith(ErrorCode::kResourceExhausted));
  EXPECT_EQ(Asked(id_), PortDialer::kPerSandbox);
  const SandboxId other = *SandboxId::Generate();
  auto dial = Dial(other);
  ASSERT_TRUE(Eventually([&] { return Asked(other) == 1; }));
  Answer(other, 0, protocol::FrameType::kConnected);
  EXPECT_TRUE(dial.get());
  // Where one has its answer, the next begins.
  Answer(id_, 0, protocol::FrameType::kConnected);
  EXPECT_TRUE(silent.front().get());
  EXPECT_TRUE(Eventually([&] { return Asked(id_) == PortDialer::kPerSandbox + 1; }));
}

TEST_F(InboundTest, AnOwnersSilentGuestsCostNoOtherOwner) {
  std::vector<std::future<Result<Fd>>> silent;
  std::vector<SandboxId> ids;
  for (size_t i = 0; i < PortDialer::kPerOwner; ++i) {
    if (i % PortDialer::kPerSandbox == 0) ids.push_back(*SandboxId::Generate());
    silent.push_back(Dial(ids.back(), "greedy"));
  }
  EXPECT_THAT(Dial(id_, "greedy").get(), FailsWith(ErrorCode::kResourceExhausted));
  auto dial = Dial(id_, "me");
  ASSERT_TRUE(Eventually([&] { return Asked(id_) == 1; }));
  Answer(id_, 0, protocol::FrameType::kConnected);
  EXPECT_TRUE(dial.get());
}

TEST_F(InboundTest, APublishedPortIsResetUntilAPortInsideAnswers) {
  const Publisher web = Named("web");
  const auto rules = doors_.Publish(web, {"0:80"});
  ASSERT_TRUE(rules);
  const std::vector<PublishedStanding> standing = doors_.Look(web.sandbox);
  ASSERT_THAT(standing, SizeIs(1));
  EXPECT_TRUE(standing[0].listening);
  EXPECT_THAT(*rules, ElementsAre(standing[0].rule));
  const uint16_t port = standing[0].host_port;

  const Fd refused = Connect(port);
  ASSERT_TRUE(Eventually([&] { return Asked(web.sandbox) == 1; }));
  Answer(web.sandbox, 0, protocol::FrameType::kError,
         protocol::Encode(protocol::ToMessage(
             Error(ErrorCode::kUnavailable, Fault::kCaller, "nothing listens"))));
  char byte = 0;
  EXPECT_EQ(::recv(refused.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  {
    const std::lock_guard lock(mutex_);
    EXPECT_THAT(refused_, ElementsAre(standing[0].rule + ": nothing listens"));
  }

  const Fd taken = Connect(port);
  ASSERT_TRUE(Eventually([&] { return Asked(web.sandbox) == 2; }));
  Answer(web.sandbox, 1, protocol::FrameType::kConnected);
  EXPECT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex_);
    return passed_.size() == 1;
  }));
  {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(visitors_.at(0).address, "127.0.0.1");
    EXPECT_EQ(visitors_.at(0).port, 80);
    EXPECT_EQ(visitors_.at(0).rule, standing[0].rule);
  }
  doors_.Unpublish(web.sandbox);
  EXPECT_THAT(doors_.Look(web.sandbox), IsEmpty());
}

TEST_F(InboundTest, APortIsPublishedOnce) {
  const Publisher web = Named("web");
  const auto rules = doors_.Publish(web, {"0:80"});
  ASSERT_TRUE(rules);
  const std::string port = std::to_string(doors_.Look(web.sandbox)[0].host_port);
  const auto taken = doors_.Publish(Named("other"), {port + ":80"});
  ASSERT_THAT(taken, FailsWith(ErrorCode::kAlreadyExists));
  EXPECT_THAT(taken.error().message(), HasSubstr("web (" + web.sandbox.text() + ")"));
  const auto by_other = doors_.Publish(Named("other", "you"), {port + ":80"});
  ASSERT_THAT(by_other, FailsWith(ErrorCode::kAlreadyExists));
  EXPECT_THAT(by_other.error().message(), HasSubstr("a sandbox of another owner"));
  // All or nothing, and what there is goes on.
  EXPECT_FALSE(doors_.Publish(web, {port + ":81", "0.0.0.0:0:82"}));
  ASSERT_THAT(doors_.Look(web.sandbox), SizeIs(1));
  EXPECT_EQ(doors_.Look(web.sandbox)[0].port, 80);
  // Another port behind the same one.
  ASSERT_TRUE(doors_.Publish(web, {port + ":81"}));
  EXPECT_EQ(doors_.Look(web.sandbox)[0].port, 81);
  EXPECT_TRUE(doors_.Look(web.sandbox)[0].listening);
}

TEST_F(InboundTest, WhatIsWantedAndTakenIsToldAndTriedAgain) {
  const Publisher web = Named("web");
  ASSERT_TRUE(doors_.Publish(web, {"0:80"}));
  const std::string rule = doors_.Look(web.sandbox)[0].rule;
  const Publisher late = Named("late");
  doors_.Want(late, {rule});
  ASSERT_THAT(doors_.Look(late.sandbox), SizeIs(1));
  EXPECT_FALSE(doors_.Look(late.sandbox)[0].listening);
  {
    const std::lock_guard lock(mutex_);
    EXPECT_THAT(told_, ElementsAre(HasSubstr("the sandbox web")));
  }
  doors_.Unpublish(web.sandbox);
  EXPECT_TRUE(Eventually([&] { return doors_.Look(late.sandbox)[0].listening; }));
}

TEST_F(InboundTest, AnAddressIsListenedOnWhileItIsPermitted) {
  const Publisher web = Named("web");
  EXPECT_THAT(doors_.Publish(web, {"0.0.0.0:0:80"}), FailsWith(ErrorCode::kPermissionDenied));
  doors_.Permit({"0.0.0.0"});
  ASSERT_TRUE(doors_.Publish(web, {"0.0.0.0:0:80"}));
  EXPECT_TRUE(doors_.Look(web.sandbox)[0].listening);
  doors_.Permit({});
  EXPECT_FALSE(doors_.Look(web.sandbox)[0].listening);
  EXPECT_THAT(doors_.Look(web.sandbox)[0].problem, HasSubstr("network.publish_addresses"));
  doors_.Permit({"0.0.0.0"});
  EXPECT_TRUE(doors_.Look(web.sandbox)[0].listening);
}

TEST_F(InboundTest, AfterItHasStoppedNothingListensAndNothingIsDone) {
  const Publisher web = Named("web");
  ASSERT_TRUE(doors_.Publish(web, {"0:80"}));
  doors_.Stop();
  EXPECT_FALSE(doors_.Publish(web, {"0:81"}));
  EXPECT_THAT(doors_.Look(web.sandbox), IsEmpty());
  doors_.Unpublish(web.sandbox);
}

}  // namespace
}  // namespace cay::sandbox
