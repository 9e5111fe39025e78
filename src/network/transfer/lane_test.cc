#include "network/transfer/lane.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>

namespace cay::network {
namespace {

// Two stream pairs with a lane from the far end of one to the far end of the other.
class LaneTest : public ::testing::Test {
 protected:
  LaneTest() : in_(Pair()), out_(Pair()) {}
  static SocketPair Pair() {
    auto pair = MakeSocketPair(SOCK_STREAM | SOCK_NONBLOCK);
    EXPECT_TRUE(pair);
    return *std::move(pair);
  }
  const Fd& source() const { return in_.second; }
  const Fd& target() const { return out_.first; }
  void Write(std::string_view text) const {
    ASSERT_EQ(::send(in_.first.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // What can be read at once; "(end)" at its end.
  std::string Read() const {
    std::string all;
    std::array<char, 65'536> space;
    for (;;) {
      const ssize_t got = ::recv(out_.second.get(), space.data(), space.size(), 0);
      if (got < 0) return all;
      if (got == 0) return all + "(end)";
      all.append(space.data(), static_cast<size_t>(got));
    }
  }

  PipePool pipes_{2};
  SocketPair in_;
  SocketPair out_;
};

TEST_F(LaneTest, MovesWhatIsThereAndHasNoPipeWhileItWaits) {
  Lane lane(pipes_);
  EXPECT_TRUE(lane.Move(source(), target()));
  EXPECT_TRUE(lane.wants_source());
  Write("hello");
  EXPECT_TRUE(lane.Move(source(), target()));
  EXPECT_EQ(Read(), "hello");
  EXPECT_EQ(lane.bytes(), 5U);
  EXPECT_TRUE(lane.wants_source());
  EXPECT_FALSE(lane.wants_target());
  EXPECT_EQ(pipes_.open(), 1U);
  Lane other(pipes_);
  Lane third(pipes_);
  EXPECT_TRUE(other.Move(source(), target()));
  EXPECT_TRUE(third.Move(source(), target()));
  EXPECT_EQ(pipes_.open(), 1U) << "the same pipe served all three";
}

TEST_F(LaneTest, PassesTheEndOnBehindAllBytes) {
  Lane lane(pipes_);
  Write("last");
  ASSERT_EQ(::shutdown(in_.first.get(), SHUT_WR), 0);
  EXPECT_TRUE(lane.Move(source(), target()));
  EXPECT_EQ(Read(), "last(end)");
  EXPECT_TRUE(lane.over());
  EXPECT_FALSE(lane.wants_source());
  EXPECT_TRUE(lane.Move(source(), target())) << "nothing is left to do";
}

TEST_F(LaneTest, WaitsForAReaderAndLosesNothing) {
  Lane lane(pipes_);
  std::string all;
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(20'000, static_cast<char>('a' + i % 26));
    const ssize_t put = ::send(in_.first.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
    if (put > 0) sent += piece.substr(0, static_cast<size_t>(put));
    EXPECT_TRUE(lane.Move(source(), target()));
    if (put < 0) break;
  }
  EXPECT_TRUE(lane.wants_target());
  EXPECT_FALSE(lane.wants_source()) << "it reads no more than it can pass on";
  while (all.size() < sent.size()) {
    const std::string more = Read();
    EXPECT_TRUE(lane.Move(source(), target()));
    if (more.empty() && !lane.wants_target()) break;
    all += more;
  }
  EXPECT_TRUE(all == sent);
}

TEST_F(LaneTest, MovesNoMoreThanItMay) {
  Lane lane(pipes_);
  Write("0123456789");
  EXPECT_TRUE(lane.Move(source(), target(), 4));
  EXPECT_EQ(Read(), "0123");
  EXPECT_TRUE(lane.Move(source(), target(), 100));
  EXPECT_EQ(Read(), "456789");
}

TEST_F(LaneTest, StarvesWithoutAPipeAndGoesOnWhenOneComesBack) {
  Pipe first = *pipes_.Take();
  Pipe second = *pipes_.Take();
  EXPECT_FALSE(pipes_.Take());
  Lane lane(pipes_);
  Write("x");
  EXPECT_TRUE(lane.Move(source(), target()));
  EXPECT_TRUE(lane.starved());
  EXPECT_FALSE(lane.wants_source()) << "or its loop would spin";
  EXPECT_EQ(Read(), "");
  pipes_.GiveBack(std::move(first));
  EXPECT_TRUE(lane.Move(source(), target()));
  EXPECT_FALSE(lane.starved());
  EXPECT_EQ(Read(), "x");
  pipes_.Drop(std::move(second));
  EXPECT_EQ(pipes_.open(), 1U);
}

TEST_F(LaneTest, ABrokenTargetIsAnError) {
  Lane lane(pipes_);
  {
    const Fd gone = std::move(out_.second);
  }
  Write("nobody");
  ::signal(SIGPIPE, SIG_IGN);
  EXPECT_FALSE(lane.Move(source(), target()));
  out_ = Pair();
}

}  // namespace
}  // namespace cay::network
