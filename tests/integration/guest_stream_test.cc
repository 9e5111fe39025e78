// Output of real commands: every byte, in order, with back-pressure, re-attached, over terminals.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>

#include "guest_fixture.h"

namespace cay::testing {
namespace {

using ::testing::IsEmpty;

class GuestStream : public GuestFixture {};
class GuestTerminal : public GuestFixture {};

// Decimal numbers, a line each, from `first`: `count` lines.
std::string Numbers(int first, int count) {
  std::string text;
  for (int i = first; i < first + count; ++i) text += std::to_string(i) + "\n";
  return text;
}

TEST_F(GuestStream, FiftyMebibytesOfBothStreamsArriveByteForByte) {
  // seq writes what this computes; both streams at once.
  const Outcome outcome = Run(Shell("seq 3800000 & seq 5000000 8900000 >&2 & wait"));
  ASSERT_TRUE(outcome.exited);
  EXPECT_THAT(outcome.gaps, IsEmpty());
  EXPECT_GT(outcome.out.size() + outcome.err.size(), 50U << 20);
  EXPECT_TRUE(outcome.out == Numbers(1, 3'800'000)) << outcome.out.size();
  EXPECT_TRUE(outcome.err == Numbers(5'000'000, 3'900'001)) << outcome.err.size();
  EXPECT_EQ(outcome.exited->end_seq, outcome.out.size() + outcome.err.size());
}

TEST_F(GuestStream, ASlowReaderOfABlockingProcessLosesNothing) {
  auto request = Shell("seq 1000000; echo done >&2");
  request.ring_bytes = 65'536;
  request.overflow = protocol::Overflow::kBlock;
  auto stream = channel_->Start(request);
  ReadUntil(*stream, HasStarted);
  // Not a byte is read until the process stands still: ring, pipe and socket are full.
  uint64_t end = 0;
  EXPECT_TRUE(Eventually([&] {
    const uint64_t before = std::exchange(end, channel_->ListProcesses()->front().end_seq);
    return end > 100'000 && end == before;
  }));
  EXPECT_LT(end, 2'000'000U);
  const Outcome outcome = Finish(*stream);
  EXPECT_THAT(outcome.gaps, IsEmpty());
  EXPECT_TRUE(outcome.out == Numbers(1, 1'000'000));
  EXPECT_EQ(outcome.err, "done\n");
}

TEST_F(GuestStream, ASlowReaderOfADroppingProcessIsToldExactlyWhatItMissed) {
  auto request = Shell("seq 1000000; echo done");
  request.ring_bytes = 65'536;
  request.overflow = protocol::Overflow::kDrop;
  auto stream = channel_->Start(request);
  const Outcome first = ReadUntil(*stream, HasStarted);
  EXPECT_TRUE(Eventually([&] { return channel_->Ping()->running == 0; }));
  const Outcome second = Finish(*stream);
  const std::string all = Numbers(1, 1'000'000) + "done\n";
  ASSERT_FALSE(second.gaps.empty());
  EXPECT_EQ(second.gaps.back().to, all.size() - 65'536);
  std::string expected;
  uint64_t seq = 0;
  for (const protocol::Gap& gap : second.gaps) {
    expected += all.substr(seq, gap.from - seq);
    seq = gap.to;
  }
  EXPECT_TRUE(first.out + second.out == expected + all.substr(seq));
  EXPECT_EQ(second.exited->end_seq, all.size());
}

TEST_F(GuestStream, WithoutAFollowerABlockingProcessRunsOnAndTheRingKeepsTheEnd) {
  auto request = Shell("read x; seq 500000");
  request.stdin_open = true;
  request.ring_bytes = 100'000;
  uint64_t process = 0;
  {
    auto stream = channel_->Start(request);
    process = ReadUntil(*stream, HasStarted).started->process;
  }
  ASSERT_TRUE(channel_->WriteStdin(process, TextSource("\n"), true));
  EXPECT_TRUE(Eventually([&] { return channel_->Ping()->running == 0; }));
  const std::string all = Numbers(1, 500'000);
  auto stream = channel_->Attach(process, 17);
  const Outcome outcome = Finish(*stream);
  ASSERT_EQ(outcome.gaps.size(), 1U);
  EXPECT_EQ(outcome.gaps.front().from, 17U);
  EXPECT_EQ(outcome.gaps.front().to, all.size() - 100'000);
  EXPECT_TRUE(outcome.out == all.substr(all.size() - 100'000));
}

TEST_F(GuestStream, OutputOfALongCommandIsKeptWhenManyShortOnesEndedBeforeIt) {
  auto request = Shell("read x; echo at last");
  request.stdin_open = true;
  uint64_t process = 0;
  {
    auto stream = channel_->Start(request);
    process = ReadUntil(*stream, HasStarted).started->process;
  }
  for (int i = 0; i < 80; ++i) ASSERT_EQ(Run(Shell("echo short")).out, "short\n");
  ASSERT_TRUE(channel_->WriteStdin(process, TextSource("\n"), true));
  ASSERT_TRUE(Eventually([&] { return channel_->Ping()->running == 0; }));
  auto stream = channel_->Attach(process, 0);
  ASSERT_TRUE(stream);
  EXPECT_EQ(Finish(*stream).out, "at last\n");
}

TEST_F(GuestStream, AReaderThatComesBackContinuesWhereItStopped) {
  auto request = Shell("seq 1000; read x; seq 1001 2000");
  request.stdin_open = true;
  const std::string all = Numbers(1, 2000);
  uint64_t process = 0;
  uint64_t seq = 0;
  std::string seen;
  {
    auto stream = channel_->Start(request);
    const Outcome first = ReadUntil(*stream, [](const Outcome& o) { return o.out.size() > 100; });
    process = first.started->process;
    seq = first.end_seq;
    seen = first.out;
  }
  auto stream = channel_->Attach(process, seq);
  const Outcome second = Finish(*stream, "\n");
  EXPECT_THAT(second.gaps, IsEmpty());
  EXPECT_EQ(second.started->process, process);
  EXPECT_TRUE(seen + second.out == all);
  auto end = channel_->Attach(process, all.size());
  EXPECT_EQ(Finish(*end).out, "");
  auto beyond = channel_->Attach(process, all.size() + 1);
  EXPECT_EQ(Finish(*beyond).error->code(), ErrorCode::kInvalidArgument);
}

TEST_F(GuestStream, TwoReadersBothGetEverything) {
  auto request = Shell("read x; seq 300000");
  request.stdin_open = true;
  auto first = channel_->Start(request);
  const auto process = ReadUntil(*first, HasStarted).started->process;
  auto second = channel_->Attach(process, 0);
  ReadUntil(*second, HasStarted);
  const std::string all = Numbers(1, 300'000);
  EXPECT_EQ(*first->WriteStdin("\n"), 1U);
  // Turn by turn: each waits for the other when a ring is between them.
  std::string one;
  std::string other;
  while (!first->finished() || !second->finished()) {
    one += ReadUntil(*first, [](const Outcome& o) { return o.out.size() > 1000 || o.exited; }).out;
    other +=
        ReadUntil(*second, [](const Outcome& o) { return o.out.size() > 1000 || o.exited; }).out;
  }
  EXPECT_TRUE(one == all);
  EXPECT_TRUE(other == all);
}

TEST_F(GuestStream, AnEndlessWriterToAReaderWhoDoesNotReadCostsTheGuestOneRing) {
  auto request = Shell("exec yes");
  auto stream = channel_->Start(request);
  ReadUntil(*stream, HasStarted);
  const auto end = [&] { return channel_->ListProcesses()->front().end_seq; };
  EXPECT_TRUE(Eventually([&, last = uint64_t{0}]() mutable {
    return end() > 1'000'000 && std::exchange(last, end()) == end();
  }));
  EXPECT_LT(end(), 4'000'000U);
  EXPECT_TRUE(stream->Signal(SIGKILL));
  EXPECT_EQ(Finish(*stream).exited->signal, static_cast<uint32_t>(SIGKILL));
}

TEST_F(GuestStream, OutputOfUnevenWritesKeepsTheOrderOfEachStream) {
  const Outcome outcome =
      Run(Shell("i=0; while [ $i -lt 3000 ]; do printf o; printf e >&2; i=$((i+1)); done"));
  EXPECT_EQ(outcome.out, std::string(3000, 'o'));
  EXPECT_EQ(outcome.err, std::string(3000, 'e'));
}

TEST_F(GuestTerminal, IsOneWithTheSizeThatWasAskedFor) {
  auto request = Shell("test -t 0 && test -t 1 && test -t 2 && stty size && tty");
  request.terminal = protocol::TerminalSize{.rows = 31, .columns = 117};
  const Outcome outcome = Run(request);
  EXPECT_EQ(outcome.out, "31 117\r\n/dev/pts/0\r\n");
  EXPECT_EQ(outcome.exited->exit_code, 0);
}

TEST_F(GuestTerminal, EchoesWhatIsTypedAndEndsAtControlD) {
  auto request = Shell("exec cat");
  request.terminal = protocol::TerminalSize{};
  auto stream = channel_->Start(request);
  ReadUntil(*stream, HasStarted);
  EXPECT_EQ(*stream->WriteStdin("hello\n"), 6U);
  EXPECT_EQ(ReadUntil(*stream, [](const Outcome& o) { return o.out.size() >= 14; }).out,
            "hello\r\nhello\r\n");
  EXPECT_EQ(*stream->WriteStdin("\x04"), 1U);
  EXPECT_EQ(ReadUntil(*stream, HasExited).exited->exit_code, 0);
}

TEST_F(GuestTerminal, TellsTheForegroundJobWhenItIsResized) {
  auto request = Shell("trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done");
  request.terminal = protocol::TerminalSize{};
  auto stream = channel_->Start(request);
  ReadUntil(*stream, [](const Outcome& o) { return o.out == "ready\r\n"; });
  EXPECT_TRUE(stream->Resize({.rows = 7, .columns = 9}));
  EXPECT_EQ(ReadUntil(*stream, [](const Outcome& o) { return o.out.ends_with('\n'); }).out,
            "7 9\r\n");
  const auto process = channel_->ListProcesses()->front().process;
  EXPECT_TRUE(channel_->Resize({.process = process, .size = {.rows = 8, .columns = 10}}));
  EXPECT_EQ(ReadUntil(*stream, [](const Outcome& o) { return o.out.ends_with('\n'); }).out,
            "8 10\r\n");
  EXPECT_TRUE(stream->Signal(SIGKILL));
  EXPECT_TRUE(Finish(*stream).exited);
}

TEST_F(GuestTerminal, HasJobControl) {
  protocol::StartRequest request;
  request.argv = {"bash", "--norc", "--noprofile", "-i"};
  request.env = {"PATH=/usr/bin:/bin", "PS1=$ ", "TERM=dumb"};
  request.terminal = protocol::TerminalSize{};
  auto stream = channel_->Start(request);
  ReadUntil(*stream, [](const Outcome& o) { return o.out.ends_with("$ "); });
  EXPECT_TRUE(stream->WriteStdin("sh -c 'echo go; exec sleep 100'\n"));
  ReadUntil(*stream, [](const Outcome& o) { return o.out.find("\ngo\r") != std::string::npos; });
  EXPECT_TRUE(stream->WriteStdin("\x1a"));
  ReadUntil(*stream, [](const Outcome& o) { return o.out.find("Stopped") != std::string::npos; });
  EXPECT_TRUE(stream->WriteStdin("exit 3\nexit 3\n"));
  EXPECT_EQ(ReadUntil(*stream, HasExited).exited->exit_code, 3);
}

TEST_F(GuestTerminal, ASignalGoesToTheForegroundJob) {
  protocol::StartRequest request;
  request.argv = {"bash", "--norc", "--noprofile", "-i"};
  request.env = {"PATH=/usr/bin:/bin", "PS1=$ ", "TERM=dumb"};
  request.terminal = protocol::TerminalSize{};
  auto stream = channel_->Start(request);
  ReadUntil(*stream, [](const Outcome& o) { return o.out.ends_with("$ "); });
  EXPECT_TRUE(stream->WriteStdin("sh -c 'echo go; exec sleep 100'; echo status $?\n"));
  ReadUntil(*stream, [](const Outcome& o) { return o.out.find("\ngo\r") != std::string::npos; });
  EXPECT_TRUE(stream->Signal(SIGTERM));
  ReadUntil(*stream,
            [](const Outcome& o) { return o.out.find("status 143") != std::string::npos; });
  EXPECT_TRUE(stream->WriteStdin("exit\n"));
  EXPECT_TRUE(ReadUntil(*stream, HasExited).exited);
}

TEST_F(GuestTerminal, HangsUpWhatIsLeftOnIt) {
  auto request = Shell("(trap '' HUP; exec sleep 100) & sleep 0.1; echo bye");
  request.terminal = protocol::TerminalSize{};
  const Outcome outcome = Run(request);
  ASSERT_TRUE(outcome.exited);
  EXPECT_EQ(outcome.out, "bye\r\n");
  EXPECT_EQ(outcome.exited->leftover_count, 1U);
  EXPECT_EQ(channel_->KillLeftovers(outcome.started->process)->killed, 1U);
}

TEST_F(GuestTerminal, ResizingAProcessWithoutOneIsRefused) {
  auto stream = channel_->Start(Shell("exec sleep 100"));
  const auto process = ReadUntil(*stream, HasStarted).started->process;
  EXPECT_EQ(channel_->Resize({.process = process, .size = {}}).error().code(),
            ErrorCode::kIllegalState);
}

}  // namespace
}  // namespace cay::testing
