// ProcessStream against a guest that lies: the test is the guest.
#include "guest_link/process_stream.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/os/file.h"
#include "guest_link/guest_channel.h"
#include "protocol/messages.h"

namespace cay {
namespace {

using protocol::Encode;
using protocol::FrameType;
using protocol::MakeFrame;

std::string Output(FrameType type, uint64_t seq, const std::string& bytes) {
  std::string payload(8, '\0');
  protocol::StoreU64(payload.data(), seq);
  return MakeFrame(type, payload + bytes);
}
std::string StartedFrame() {
  return MakeFrame(FrameType::kStarted, Encode(protocol::Started{.process = 1, .pid = 2}));
}
std::string ExitedFrame(uint64_t end_seq, int exit_code = 0) {
  protocol::Exited exited;
  exited.end_seq = end_seq;
  exited.exit_code = exit_code;
  return MakeFrame(FrameType::kExited, Encode(exited));
}
std::string GapFrame(uint64_t from, uint64_t to) {
  return MakeFrame(FrameType::kGap, Encode(protocol::Gap{.from = from, .to = to}));
}
std::string AckFrame(uint64_t taken, bool closed = false) {
  return MakeFrame(FrameType::kStdinAck,
                   Encode(protocol::StdinAck{.taken = taken, .closed = closed}));
}

class ProcessStreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pair = MakeSocketPair(SOCK_STREAM);
    guest_.emplace(std::move(pair->second));
    protocol::StartRequest request;
    request.argv = {"x"};
    request.stdin_open = true;
    stream_.emplace(*ProcessStream::Start(std::move(pair->first), request));
  }
  void Say(const std::string& bytes) { ASSERT_TRUE(WriteAll(guest_->get(), bytes)); }

  // How the stream takes it: the events before the first error, and that error's code.
  std::optional<ErrorCode> CodeAfter(const std::string& bytes) {
    Say(bytes);
    guest_.reset();
    while (true) {
      const auto event = stream_->Next();
      if (!event) {
        EXPECT_TRUE(stream_->finished());
        return event.error().code();
      }
      if (!*event) return std::nullopt;
    }
  }

  std::optional<Fd> guest_;
  std::optional<ProcessStream> stream_;
};

TEST_F(ProcessStreamTest, YieldsWhatAnHonestGuestSays) {
  Say(StartedFrame() + Output(FrameType::kStdout, 0, "ab") + Output(FrameType::kStderr, 2, "c") +
      GapFrame(3, 10) + Output(FrameType::kStdout, 10, "d") + ExitedFrame(11, 5));
  EXPECT_EQ(std::get<protocol::Started>(**stream_->Next()).pid, 2);
  const auto out = std::get<ProcessOutput>(**stream_->Next());
  EXPECT_EQ(out.stream, OutputStream::kStdout);
  EXPECT_EQ(out.bytes, "ab");
  EXPECT_EQ(std::get<ProcessOutput>(**stream_->Next()).stream, OutputStream::kStderr);
  EXPECT_EQ(std::get<protocol::Gap>(**stream_->Next()).to, 10U);
  EXPECT_EQ(std::get<ProcessOutput>(**stream_->Next()).seq, 10U);
  EXPECT_EQ(std::get<protocol::Exited>(**stream_->Next()).exit_code, 5);
  EXPECT_TRUE(stream_->finished());
  EXPECT_FALSE((*stream_->Next()).has_value());
}

TEST_F(ProcessStreamTest, SaysNothingWhileItHasToWait) {
  EXPECT_FALSE((*stream_->Next()).has_value());
  EXPECT_FALSE(stream_->finished());
}

TEST_F(ProcessStreamTest, AConnectionThatIsCutIsUnavailable) {
  EXPECT_EQ(CodeAfter(StartedFrame() + Output(FrameType::kStdout, 0, "a")),
            ErrorCode::kUnavailable);
}

TEST_F(ProcessStreamTest, AnErrorOfTheGuestIsTheStreams) {
  EXPECT_EQ(
      CodeAfter(MakeFrame(
          FrameType::kError,
          Encode(protocol::ToMessage(Error(ErrorCode::kCommandNotFound, Fault::kCaller, "x"))))),
      ErrorCode::kCommandNotFound);
}

class LyingGuest : public ProcessStreamTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(LyingGuest, IsRefused) { EXPECT_EQ(CodeAfter(GetParam()), ErrorCode::kProtocol); }

INSTANTIATE_TEST_SUITE_P(
    ProcessStream, LyingGuest,
    ::testing::Values(
        Output(FrameType::kStdout, 0, "before the start"), ExitedFrame(0),
        StartedFrame() + StartedFrame(), StartedFrame() + Output(FrameType::kStdout, 1, "a"),
        StartedFrame() + Output(FrameType::kStdout, 0, ""),
        StartedFrame() + MakeFrame(FrameType::kStdout, "1234567"),
        StartedFrame() + Output(FrameType::kStdout, 0, "ab") + Output(FrameType::kStdout, 1, "c"),
        StartedFrame() + GapFrame(0, 0), StartedFrame() + GapFrame(1, 2),
        StartedFrame() + Output(FrameType::kStdout, 0, "ab") + GapFrame(2, 1),
        StartedFrame() + GapFrame(0, UINT64_MAX) + Output(FrameType::kStdout, UINT64_MAX, "ab"),
        StartedFrame() + ExitedFrame(1), StartedFrame() + ExitedFrame(0, 256),
        StartedFrame() + ExitedFrame(0, -1), StartedFrame() + AckFrame(1),
        StartedFrame() + MakeFrame(FrameType::kInfo, Encode(protocol::Info{})),
        StartedFrame() + MakeFrame(FrameType::kDone, ""), MakeFrame(FrameType::kStarted, "\xff"),
        MakeFrame(FrameType::kError, "?"), std::string("\xff\xff\xff\xff\x82", 5),
        std::string("\0\0\0\0\x02", 5), std::string(100, 'x')));

TEST_F(ProcessStreamTest, AcceptsOneWindowOfStdinAndMoreAsItIsTaken) {
  const std::string input(1'000'000, 'i');
  EXPECT_EQ(*stream_->WriteStdin(input), protocol::kStdinWindowBytes);
  EXPECT_EQ(stream_->stdin_room(), 0U);
  EXPECT_EQ(*stream_->WriteStdin(input), 0U);
  Say(StartedFrame() + AckFrame(100'000));
  EXPECT_TRUE(stream_->Next());
  EXPECT_FALSE((*stream_->Next()).has_value());
  EXPECT_EQ(stream_->stdin_room(), 100'000U);
  EXPECT_EQ(*stream_->WriteStdin(input), 100'000U);
  Say(AckFrame(100'000, true));
  EXPECT_FALSE((*stream_->Next()).has_value());
  EXPECT_TRUE(stream_->stdin_closed());
  EXPECT_EQ(stream_->stdin_room(), 0U);
}

TEST_F(ProcessStreamTest, AnAcknowledgementThatGoesBackIsRefused) {
  ASSERT_TRUE(stream_->WriteStdin("abcdef"));
  EXPECT_EQ(CodeAfter(StartedFrame() + AckFrame(4) + AckFrame(3)), ErrorCode::kProtocol);
}

TEST_F(ProcessStreamTest, AcknowledgementsThatSayNothingAreNotTakenForEver) {
  std::string flood = StartedFrame();
  for (int i = 0; i < 2000; ++i) flood += AckFrame(0);
  EXPECT_EQ(CodeAfter(flood), ErrorCode::kProtocol);
}

TEST_F(ProcessStreamTest, SignalsToAGuestThatDoesNotReadAreBounded) {
  ASSERT_TRUE(stream_->WriteStdin(std::string(1'000'000, 'x')));
  Result<void> sent;
  for (int i = 0; i < 100'000 && sent; ++i) sent = stream_->Signal(10);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_FALSE(stream_->Signal(65));
  EXPECT_FALSE(stream_->Signal(-1));
}

TEST_F(ProcessStreamTest, ReadsTheReasonThatAGuestGaveBeforeItHungUp) {
  Say(MakeFrame(FrameType::kError, Encode(protocol::ToMessage(Error::Invalid("why")))));
  guest_.reset();
  ASSERT_TRUE(stream_->WriteStdin(std::string(100'000, 'x')));
  EXPECT_EQ(stream_->Next().error().message(), "why");
}

// Calls that wait, against an answer prepared beforehand.
class GuestChannelTest : public ::testing::Test {
 protected:
  GuestChannel Answering(const std::string& answer) {
    auto pair = MakeSocketPair(SOCK_STREAM);
    EXPECT_TRUE(WriteAll(pair->second.get(), answer));
    guest_.emplace(std::move(pair->second));
    ::shutdown(guest_->get(), SHUT_WR);
    host_.emplace(std::move(pair->first));
    return GuestChannel([this]() -> Result<Fd> { return *std::move(host_); }, Millis(2000));
  }
  std::optional<Fd> guest_;
  std::optional<Fd> host_;
};

TEST_F(GuestChannelTest, ReadsAFileInPieces) {
  std::string seen;
  const auto info =
      Answering(MakeFrame(FrameType::kFileInfo, Encode(protocol::FileInfo{})) +
                MakeFrame(FrameType::kData, "ab") + MakeFrame(FrameType::kData, "cde") +
                MakeFrame(FrameType::kDataEnd, ""))
          .ReadFile({.user = "", .path = "/x"}, [&](std::string_view bytes) -> Result<void> {
            seen += bytes;
            return {};
          });
  ASSERT_TRUE(info) << info.error().ToString();
  EXPECT_EQ(seen, "abcde");
}

TEST_F(GuestChannelTest, AnErrorOfTheSinkEndsIt) {
  const auto result =
      Answering(MakeFrame(FrameType::kFileInfo, Encode(protocol::FileInfo{})) +
                MakeFrame(FrameType::kData, "ab"))
          .ReadFile({.user = "", .path = "/x"}, [](std::string_view) -> Result<void> {
            return Failure(Error::Invalid("full"));
          });
  EXPECT_EQ(result.error().message(), "full");
}

TEST_F(GuestChannelTest, RefusesWhatDoesNotBelongToTheAnswer) {
  EXPECT_EQ(Answering(MakeFrame(FrameType::kDone, "")).Ping().error().code(), ErrorCode::kProtocol);
  EXPECT_EQ(Answering(MakeFrame(FrameType::kInfo, "x")).Ping().error().code(),
            ErrorCode::kProtocol);
  EXPECT_EQ(Answering("").Ping().error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(
      Answering(MakeFrame(FrameType::kData, "x")).Stat({.user = "", .path = "/x"}).error().code(),
      ErrorCode::kProtocol);
}

TEST_F(GuestChannelTest, RefusesMoreThanWasAskedForAndFramesOfNothing) {
  const auto drop = [](std::string_view) -> Result<void> { return {}; };
  const std::string info = MakeFrame(FrameType::kFileInfo, Encode(protocol::FileInfo{}));
  const protocol::ReadFileRequest three{.user = "", .path = "/x", .offset = 0, .length = 3};
  EXPECT_EQ(
      Answering(info + MakeFrame(FrameType::kData, "abcd")).ReadFile(three, drop).error().code(),
      ErrorCode::kProtocol);
  EXPECT_EQ(Answering(info + MakeFrame(FrameType::kData, "")).ReadFile(three, drop).error().code(),
            ErrorCode::kProtocol);
  protocol::ListRequest one;
  one.max_entries = 1;
  const auto ignore = [](const protocol::FileInfo&) -> Result<void> { return {}; };
  protocol::Entries entries;
  EXPECT_EQ(
      Answering(MakeFrame(FrameType::kEntries, Encode(entries))).List(one, ignore).error().code(),
      ErrorCode::kProtocol);
  entries.entries.resize(2);
  EXPECT_EQ(
      Answering(MakeFrame(FrameType::kEntries, Encode(entries))).List(one, ignore).error().code(),
      ErrorCode::kProtocol);
}

TEST_F(GuestChannelTest, AcknowledgementsThatSayNothingNewAreRefused) {
  std::string acks;
  for (int i = 0; i < 10; ++i) acks += AckFrame(0);
  EXPECT_EQ(Answering(acks).WriteStdin(1, TextSource("ab"), true).error().code(),
            ErrorCode::kProtocol);
  EXPECT_TRUE(Answering(AckFrame(2, true) + MakeFrame(FrameType::kDone, ""))
                  .WriteStdin(1, TextSource("ab"), true));
}

TEST_F(GuestChannelTest, RefusesARequestOverTheLimitsBeforeItIsSent) {
  EXPECT_EQ(Answering("").Stat({.user = "", .path = std::string(5000, 'x')}).error().code(),
            ErrorCode::kLimitTooHigh);
}

TEST_F(GuestChannelTest, ASilentGuestIsATimeout) {
  auto pair = MakeSocketPair(SOCK_STREAM);
  const GuestChannel channel([&]() -> Result<Fd> { return std::move(pair->first); }, Millis(20));
  EXPECT_EQ(channel.Ping().error().code(), ErrorCode::kTimeout);
}

TEST_F(GuestChannelTest, APortsFirstBytesAreLeftToTheCaller) {
  const auto port = Answering(MakeFrame(FrameType::kConnected, "") + "banner").ConnectPort(80);
  ASSERT_TRUE(port) << port.error().ToString();
  char bytes[16];
  EXPECT_EQ(::read(port->get(), bytes, sizeof bytes), 6);
}

}  // namespace
}  // namespace cay
