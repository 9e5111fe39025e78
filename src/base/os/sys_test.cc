#include "base/os/sys.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace cay::sys {
namespace {

TEST(ScopedFault, FailsTheNthUseOnceAndOnlyWhileItLives) {
  {
    const ScopedFault fault(Call::kOpenAt, ENOSPC, 1);
    EXPECT_TRUE(OpenAt(AT_FDCWD, "/dev/null", O_RDONLY));
    EXPECT_FALSE(fault.fired());
    const auto failed = OpenAt(AT_FDCWD, "/dev/null", O_RDONLY);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().sys_errno(), ENOSPC);
    EXPECT_TRUE(fault.fired());
    EXPECT_TRUE(OpenAt(AT_FDCWD, "/dev/null", O_RDONLY));
  }
  EXPECT_TRUE(OpenAt(AT_FDCWD, "/dev/null", O_RDONLY));
}

TEST(CallName, KnowsEveryCall) {
  for (int i = 0; i < static_cast<int>(Call::kCount); ++i) {
    EXPECT_FALSE(CallName(static_cast<Call>(i)).empty());
  }
}

}  // namespace
}  // namespace cay::sys
