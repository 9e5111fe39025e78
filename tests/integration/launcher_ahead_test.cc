// What a launcher makes ahead of a sandbox.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <filesystem>
#include <set>

#include "base/os/sys.h"
#include "launcher_fixture.h"

namespace cay::engine::native {
namespace {

using ::cay::testing::BecomesLike;
using ::cay::testing::MachineState;
using ::cay::testing::TakeSettled;

class LauncherAheadTest : public LauncherTest {};

INSTANTIATE_TEST_SUITE_P(Scratch, LauncherAheadTest,
                         ::testing::Values(Scratch::kDisk, Scratch::kMemory),
                         [](const auto& scratch) {
                           return scratch.param == Scratch::kDisk ? "OnDisk" : "InMemory";
                         });

std::set<std::string> Entries(const std::string& directory) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.insert(entry.path().filename());
  }
  return names;
}

TEST_P(LauncherAheadTest, WhatIsMadeAheadIsUsedAndLeavesNothing) {
  launcher_.reset();
  ASSERT_TRUE(Launcher::Open({.paths = paths_, .netns_pool = 0})) << "it reserves descriptors";
  const MachineState before = TakeSettled(paths_);
  {
    auto launcher = Launcher::Open({.paths = paths_, .netns_pool = 0});
    ASSERT_TRUE(launcher) << launcher.error().ToString();
    const CreateRequest first = Request();
    ASSERT_TRUE(launcher->Create(first));
    ASSERT_TRUE(launcher->Destroy(first.id));
    while (launcher->DoIdleWork()) {
    }
    const auto ahead = Entries(paths_.sandboxes_dir());
    EXPECT_EQ(ahead.size(), 1U);
    EXPECT_TRUE(launcher->HoldsAhead());
    const CreateRequest second = Request();
    const auto created = launcher->Create(second);
    ASSERT_TRUE(created) << created.error().ToString();
    EXPECT_EQ(Entries(paths_.sandboxes_dir()), std::set<std::string>{second.id.text()});
    EXPECT_FALSE(launcher->HoldsAhead());
    EXPECT_EQ(launcher->Create(second).error().code(), ErrorCode::kAlreadyExists);
    while (launcher->DoIdleWork()) {
    }
    EXPECT_EQ(launcher->Create(second).error().code(), ErrorCode::kAlreadyExists);
    ASSERT_TRUE(launcher->Destroy(second.id));
    while (launcher->DoIdleWork()) {
    }
    launcher->LetGoOfAhead();
    EXPECT_TRUE(Entries(paths_.sandboxes_dir()).empty());
  }
  while (::waitpid(-1, nullptr, 0) > 0) {  // the workers
  }
  EXPECT_TRUE(BecomesLike(before, paths_));
}

// With what is made ahead, and with workers: what they do is not the create's, and fails by itself.
TEST_P(LauncherAheadTest, WhatFailsAtAnySystemCallWhileMadeAheadIsMissedByNobody) {
  launcher_.reset();
  while (::waitpid(-1, nullptr, 0) > 0) {  // its workers
  }
  const MachineState before = TakeSettled(paths_);
  int unhurt = 0;
  for (int nth = 0; nth < kMaxCalls && unhurt < 3; ++nth) {
    {
      auto launcher = Launcher::Open({.paths = paths_, .netns_pool = 1});
      ASSERT_TRUE(launcher) << launcher.error().ToString();
      const CreateRequest first = Request();
      ASSERT_TRUE(launcher->Create(first));
      {
        // Of the workers as well: they begin with it, and count for themselves.
        const sys::ScopedFault fault(sys::Call::kCount, EIO, nth);
        while (launcher->DoIdleWork()) {
        }
        unhurt = fault.fired() ? 0 : unhurt + 1;
      }
      const CreateRequest second = Request();
      const auto created = launcher->Create(second);
      EXPECT_TRUE(created) << nth << ": " << created.error().ToString();
      ASSERT_TRUE(launcher->Destroy(first.id));
      ASSERT_TRUE(launcher->Destroy(second.id));
      while (launcher->DoIdleWork()) {
      }
      launcher->LetGoOfAhead();
      EXPECT_FALSE(launcher->HoldsAhead());
    }
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
    ASSERT_TRUE(BecomesLike(before, paths_)) << "after a fault at call " << nth;
  }
  EXPECT_EQ(unhurt, 3);
}

}  // namespace
}  // namespace cay::engine::native
