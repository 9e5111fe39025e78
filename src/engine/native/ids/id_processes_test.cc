#include "engine/native/ids/id_processes.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/os/reap.h"
#include "engine/native/ipc/few_descriptors.h"

namespace cay::engine::native {
namespace {

TEST(IdProcesses, ThoseThatCannotBeLookedAtAreNotTakenForGone) {
  const FewDescriptors few(1);  // for /proc itself
  const auto found = FindRangeProcesses();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kResourceExhausted);
}

// It makes its status as long as one can be.
TEST(IdProcesses, OneWithAsManyGroupsAsThereCanBeIsFound) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const IdRange range = *IdRange::FromNumber(IdRange::kCount - 1);
  Pipe ready = *MakePipe();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::vector<gid_t> groups(NGROUPS_MAX, UINT32_MAX - 1);
    const bool is_long = ::setgroups(groups.size(), groups.data()) == 0 &&
                         ::setresuid(range.base(), range.base(), range.base()) == 0;
    if (!is_long || ::write(ready.write.get(), "x", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char byte = 0;
  EXPECT_EQ(::read(ready.read.get(), &byte, 1), 1);
  const auto found = FindRangeProcesses();
  KillAndReap(child);
  ASSERT_TRUE(found) << found.error().ToString();
  const auto it = std::ranges::find(*found, child, &RangeProcess::pid);
  ASSERT_NE(it, found->end());
  EXPECT_EQ(it->range, range.number());
}

}  // namespace
}  // namespace cay::engine::native
