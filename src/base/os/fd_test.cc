#include "base/os/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <optional>

namespace cay {
namespace {

bool IsOpen(int raw) { return ::fcntl(raw, F_GETFD) >= 0; }

TEST(Fd, ClosesWhenItsOwnerGoes) {
  int raw = -1;
  {
    const auto pipe = MakePipe();
    ASSERT_TRUE(pipe);
    raw = pipe->read.get();
    EXPECT_TRUE(IsOpen(raw));
  }
  EXPECT_FALSE(IsOpen(raw));
}

TEST(Fd, MovesItsOwnershipAndKeepsItOpen) {
  auto pipe = MakePipe();
  ASSERT_TRUE(pipe);
  const int raw = pipe->write.get();
  std::optional<Fd> owner = std::move(pipe->write);
  EXPECT_EQ(owner->get(), raw);
  EXPECT_TRUE(IsOpen(raw));
  owner.reset();
  EXPECT_FALSE(IsOpen(raw));
}

TEST(Fd, ReleasedIsNoLongerClosed) {
  auto pipe = MakePipe();
  ASSERT_TRUE(pipe);
  const int raw = std::move(pipe->read).Release();
  EXPECT_TRUE(IsOpen(raw));
  ::close(raw);
}

TEST(Fd, DuplicateIsCloseOnExec) {
  const auto pipe = MakePipe();
  ASSERT_TRUE(pipe);
  const auto copy = pipe->read.Duplicate();
  ASSERT_TRUE(copy);
  EXPECT_EQ(::fcntl(copy->get(), F_GETFD), FD_CLOEXEC);
}

}  // namespace
}  // namespace cay
