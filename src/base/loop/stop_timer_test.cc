#include "base/loop/stop_timer.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace cay {
namespace {

bool Readable(const StopTimer& stop, int millis) {
  pollfd waited = {.fd = stop.fd(), .events = POLLIN, .revents = 0};
  return ::poll(&waited, 1, millis) > 0;
}

TEST(StopTimer, StopsAtItsTime) {
  const auto stop = StopTimer::After(Millis(20));
  ASSERT_TRUE(stop);
  EXPECT_TRUE(Readable(*stop, 60'000));
  EXPECT_TRUE(stop->stopped());
}

TEST(StopTimer, OneWithoutATimeStopsWhenItIsTold) {
  const auto stop = StopTimer::Make();
  ASSERT_TRUE(stop);
  EXPECT_FALSE(stop->stopped());
  stop->Stop();
  EXPECT_TRUE(stop->stopped());
  EXPECT_TRUE(Readable(*stop, 0));
}

TEST(StopTimer, ATimeThatComesLaterDoesNotTakeAnEndAway) {
  const auto stop = StopTimer::Make();
  ASSERT_TRUE(stop);
  stop->Stop();
  ASSERT_TRUE(stop->StopAfter(Millis(3'600'000)));
  EXPECT_TRUE(stop->stopped());
}

TEST(StopTimer, ATimeOfNothingIsNow) {
  const auto stop = StopTimer::Make();
  ASSERT_TRUE(stop && stop->StopAfter(Millis(0)));
  EXPECT_TRUE(Readable(*stop, 60'000));
}

}  // namespace
}  // namespace cay
