#include "sandbox/guest_end.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace cay::sandbox {
namespace {

TEST(GuestEnd, EveryKindHasItsName) {
  for (uint8_t i = 0; i <= static_cast<uint8_t>(kLastGuestEndKind); ++i) {
    const auto kind = static_cast<GuestEndKind>(i);
    EXPECT_EQ(GuestEndFromName(GuestEndName(kind)), kind);
  }
  EXPECT_EQ(GuestEndFromName("melted"), GuestEndKind::kUnknown);
}

TEST(GuestEnd, WhoeverEndsASandboxIsToldFromAMachineThatLosesIt) {
  EXPECT_TRUE(IsByItsOwner(GuestEndKind::kStopped));
  EXPECT_TRUE(IsByItsOwner(GuestEndKind::kReset));
  EXPECT_TRUE(IsByItsOwner(GuestEndKind::kDestroyed));
  EXPECT_FALSE(IsByItsOwner(GuestEndKind::kOomKilled));
  EXPECT_FALSE(IsByItsOwner(GuestEndKind::kUnknown));
  EXPECT_FALSE(IsByItsOwner(GuestEndKind::kLost));
}

TEST(GuestEnd, OfAnExitSaysWhatPeopleRead) {
  using engine::ExitReason;
  EXPECT_EQ(GuestEndOf({.reason = ExitReason::kSignalled, .signal = SIGKILL}).reason,
            "signalled: SIGKILL");
  EXPECT_EQ(GuestEndOf({.reason = ExitReason::kExited, .exit_code = 3}).reason, "exited: 3");
  EXPECT_EQ(GuestEndOf({.reason = ExitReason::kOomKilled}).kind, GuestEndKind::kOomKilled);
  EXPECT_EQ(GuestEndOf({.reason = ExitReason::kNone}).kind, GuestEndKind::kUnknown);
}

// As programs before 0.2.0 wrote them.
TEST(GuestEnd, IsReadOffTheReasonsOfOlderPrograms) {
  EXPECT_EQ(GuestEndOfReason("destroyed: requested"), GuestEndKind::kDestroyed);
  EXPECT_EQ(GuestEndOfReason("stopped: idle_timeout"), GuestEndKind::kStopped);
  EXPECT_EQ(GuestEndOfReason("reset"), GuestEndKind::kReset);
  EXPECT_EQ(GuestEndOfReason("oom_killed"), GuestEndKind::kOomKilled);
  EXPECT_EQ(GuestEndOfReason("lost: its sandbox is gone"), GuestEndKind::kLost);
  EXPECT_EQ(GuestEndOfReason("cannot be reset: no"), GuestEndKind::kUnknown);
  EXPECT_EQ(GuestEndOfReason(""), GuestEndKind::kUnknown);
}

}  // namespace
}  // namespace cay::sandbox
