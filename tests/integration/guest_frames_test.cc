// What a guest does with bytes that no host would send: it ends that connection, and lives.
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "guest_fixture.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

namespace cay::testing {
namespace {

using protocol::FrameType;
using protocol::MakeFrame;

class GuestFrames : public GuestFixture {
 protected:
  // Sends it, ends its side, and reads what comes back until the guest ends too.
  std::string Exchange(std::string_view bytes) {
    auto fd = guest_->Connect();
    EXPECT_TRUE(fd);
    ::send(fd->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(fd->get(), SHUT_WR);
    std::string answer;
    char part[4096];
    while (true) {
      pollfd wait{.fd = fd->get(), .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 10'000) <= 0) {
        ADD_FAILURE() << "the guest neither answered nor ended the connection";
        break;
      }
      const ssize_t got = ::read(fd->get(), part, sizeof part);
      if (got <= 0) break;
      answer.append(part, static_cast<size_t>(got));
    }
    return answer;
  }

  static std::optional<ErrorCode> ErrorIn(std::string_view answer) {
    if (answer.size() < protocol::kFrameHeaderBytes) return std::nullopt;
    if (static_cast<FrameType>(answer[4]) != FrameType::kError) return std::nullopt;
    const auto message =
        protocol::Decode<protocol::ErrorMessage>(answer.substr(protocol::kFrameHeaderBytes));
    if (!message) return std::nullopt;
    return protocol::FromMessage(*message).code();
  }
};

TEST_F(GuestFrames, AnAnnouncementOfFourGibibytesIsRefusedAtOnce) {
  EXPECT_EQ(ErrorIn(Exchange(std::string("\xff\xff\xff\xff\x02", 5))), ErrorCode::kProtocol);
}

TEST_F(GuestFrames, ATypeThatIsNoRequestIsRefused) {
  for (int type = 0; type < 256; ++type) {
    const std::string frame = std::string(4, '\0') + static_cast<char>(type);
    const std::string answer = Exchange(frame);
    // What is answered is a listing, an info or an error; what is a stream without its request is
    // not.
    ASSERT_FALSE(answer.empty()) << type;
  }
}

TEST_F(GuestFrames, ATruncatedRequestEndsTheConnection) {
  const std::string whole =
      MakeFrame(FrameType::kStart, protocol::Encode(Shell("echo must not run > /tmp/never")));
  for (size_t length = 0; length < whole.size(); length += 3) {
    EXPECT_EQ(Exchange(std::string_view(whole).substr(0, length)), "") << length;
  }
  EXPECT_EQ(channel_->Ping()->kept, 0U);
}

TEST_F(GuestFrames, AnyByteChangedInARequestLeavesItAlive) {
  const std::string whole = MakeFrame(FrameType::kStart, protocol::Encode(Shell("true")));
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x41);
    Exchange(changed);
  }
  EXPECT_TRUE(guest_->Alive());
}

TEST_F(GuestFrames, NoiseLeavesItAlive) {
  std::mt19937 random(42);
  for (int round = 0; round < 300; ++round) {
    std::string noise(random() % 5000, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    if (round % 2 == 0 && noise.size() > 5) {  // half of it with a header that is believed
      noise[0] = static_cast<char>(noise.size() - 5);
      noise[1] = static_cast<char>((noise.size() - 5) >> 8);
      noise[2] = noise[3] = 0;
      noise[4] = static_cast<char>(random() % 33);
    }
    Exchange(noise);
  }
  EXPECT_TRUE(guest_->Alive());
}

TEST_F(GuestFrames, MoreStdinThanTheWindowIsRefused) {
  auto request = Shell("exec sleep 100");
  request.stdin_open = true;
  std::string bytes = MakeFrame(FrameType::kStart, protocol::Encode(request));
  auto fd = guest_->Connect();
  for (int i = 0; i < 8; ++i) {
    bytes += MakeFrame(FrameType::kStdinData, std::string(protocol::kMaxDataBytes, 'x'));
  }
  // The guest may refuse, and close, before it was sent all of it.
  ASSERT_GT(::send(fd->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(protocol::kStdinWindowBytes));
  protocol::FrameParser parser(protocol::Sender::kGuest);
  std::optional<FrameType> last;
  while (true) {
    const auto space = parser.Space();
    const ssize_t got = ::read(fd->get(), space.data(), space.size());
    if (got <= 0) break;
    parser.Commit(static_cast<size_t>(got));
    while (const auto frame = *parser.Next()) last = frame->type;
  }
  EXPECT_EQ(last, FrameType::kError);
}

TEST_F(GuestFrames, ManyIdleConnectionsAreHeldUpToTheMaximum) {
  std::vector<Fd> idle;
  for (size_t i = 0; i < protocol::kMaxConnections; ++i) idle.push_back(*guest_->Connect());
  EXPECT_EQ(channel_->Ping().error().code(), ErrorCode::kResourceExhausted);
  idle.clear();
  EXPECT_TRUE(Eventually([&] { return channel_->Ping().has_value(); }));
}

TEST_F(GuestFrames, AHostThatGoesAwayAtAnyPointLeavesNothingOpen) {
  const auto descriptors = [&] {
    std::vector<std::string> leading_to;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(guest_->pid()) + "/fd")) {
      std::error_code closed;
      leading_to.push_back(std::filesystem::read_symlink(entry, closed));
    }
    return leading_to;
  };
  // The listener of the commands' filter comes with the thread that starts them, a moment after the
  // guest itself.
  Run(Shell("true"));
  // One of the fixture's may still be among them, for a moment.
  const std::vector<std::string> before = descriptors();
  for (int i = 0; i < 50; ++i) {
    auto stream = channel_->Start(Shell("seq 100000"));
    if (i % 2 == 0) ReadUntil(*stream, HasStarted);
  }
  EXPECT_TRUE(Eventually([&] { return channel_->Ping()->running == 0; }));
  EXPECT_TRUE(Eventually([&] { return descriptors().size() <= before.size(); }))
      << ::testing::PrintToString(before) << " were open, now "
      << ::testing::PrintToString(descriptors());
}

}  // namespace
}  // namespace cay::testing
