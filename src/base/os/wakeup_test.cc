#include "base/os/wakeup.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <optional>
#include <utility>

namespace cay {
namespace {

bool Readable(int fd) {
  pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&polled, 1, 0) == 1;
}

TEST(Wakeup, ItIsReadableFromTheFirstRaiseUntilItIsDrained) {
  const Wakeup wake = Wakeup::Make().value();
  EXPECT_FALSE(Readable(wake.fd()));
  wake.Raise();
  wake.Raise();
  EXPECT_TRUE(Readable(wake.fd()));
  EXPECT_TRUE(Readable(wake.fd()));
  wake.Drain();
  EXPECT_FALSE(Readable(wake.fd()));
}

TEST(Wakeup, DrainingWhatWasNotRaisedDoesNotWait) {
  const Wakeup wake = Wakeup::Make().value();
  wake.Drain();
  EXPECT_FALSE(Readable(wake.fd()));
}

TEST(Wakeup, ADuplicateHearsOfItAndOutlivesIt) {
  std::optional<Wakeup> wake = Wakeup::Make().value();
  const Fd other = wake->Duplicate().value();
  EXPECT_FALSE(Readable(other.get()));
  wake->Raise();
  wake.reset();
  EXPECT_TRUE(Readable(other.get()));
}

}  // namespace
}  // namespace cay
