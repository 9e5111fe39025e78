#include "cli/frame/output_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>

#include "base/os/fd.h"

namespace cay::cli {
namespace {

struct Ends {
  Fd write;
  Fd read;
};

Ends PipeEnds() {
  Pipe pipe = *MakePipe();
  return {std::move(pipe.write), std::move(pipe.read)};
}

Ends SocketEnds() {
  SocketPair pair = *MakeSocketPair(SOCK_STREAM);
  return {std::move(pair.first), std::move(pair.second)};
}

// A terminal without translation, so that bytes come out as they went in.
Ends TerminalEnds() {
  int controller = -1;
  int terminal = -1;
  termios raw{};
  ::cfmakeraw(&raw);
  EXPECT_EQ(::openpty(&controller, &terminal, nullptr, &raw, nullptr), 0);
  return {Fd::Adopt(terminal), Fd::Adopt(controller)};
}

void ExpectWholeAndNeverBlocking(Ends ends) {
  std::string sent;
  for (int i = 0; i < 300'000; ++i) sent.append(std::to_string(i)).push_back(' ');
  OutputWriter writer(ends.write.get());
  // Nobody reads yet: a writer that blocks would never come back.
  ASSERT_TRUE(writer.Write(sent));
  ASSERT_TRUE(writer.pending());
  std::string got;
  char buffer[65536];
  while (got.size() < sent.size()) {
    pollfd readable{ends.read.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&readable, 1, 10'000), 1);
    ssize_t bytes = ::read(ends.read.get(), buffer, sizeof buffer);
    ASSERT_GT(bytes, 0);
    got.append(buffer, static_cast<size_t>(bytes));
    ASSERT_TRUE(writer.Flush());
  }
  EXPECT_EQ(got, sent);
  EXPECT_FALSE(writer.pending());
}

TEST(OutputWriter, NeverBlocksOnAPipeAndLosesNothing) { ExpectWholeAndNeverBlocking(PipeEnds()); }
TEST(OutputWriter, NeverBlocksOnASocketAndLosesNothing) {
  ExpectWholeAndNeverBlocking(SocketEnds());
}
TEST(OutputWriter, NeverBlocksOnATerminalAndLosesNothing) {
  ExpectWholeAndNeverBlocking(TerminalEnds());
}

TEST(OutputWriter, LeavesTheDescriptorBlockingForOthers) {
  Ends ends = PipeEnds();
  OutputWriter writer(ends.write.get());
  ASSERT_TRUE(writer.Write("x"));
  EXPECT_EQ(::fcntl(ends.write.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(OutputWriter, WritesAFileAtOnce) {
  Fd file = Fd::Adopt(::memfd_create("test", MFD_CLOEXEC));
  OutputWriter writer(file.get());
  ASSERT_TRUE(writer.Write(std::string(1 << 20, 'x')));
  EXPECT_FALSE(writer.pending());
  EXPECT_EQ(::lseek(file.get(), 0, SEEK_CUR), 1 << 20);
}

TEST(OutputWriter, SaysWhenNobodyReads) {
  ::signal(SIGPIPE, SIG_IGN);
  Ends ends = PipeEnds();
  OutputWriter writer(ends.write.get());
  {
    Fd gone = std::move(ends.read);
  }
  Result<void> written = writer.Write("x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().sys_errno(), EPIPE);
}

}  // namespace
}  // namespace cay::cli
