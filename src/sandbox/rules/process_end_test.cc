#include "sandbox/rules/process_end.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>

namespace cay::sandbox {
namespace {

using enum EndStage;
using enum EndEvent;

constexpr EndStage kStages[] = {kRunning, kAsked, kKilling, kKilled, kClearing, kJudging, kDone};
constexpr EndEvent kEvents[] = {kTimeOver,  kTimeOverNow, kGraceOver,  kExited, kExitedLeaving,
                                kAllKilled, kSomeKilled,  kKillFailed, kJudged, kGone};

// Every change there is. What is not here changes nothing.
const std::map<std::pair<EndStage, EndEvent>, EndStage> kTable = {
    {{kRunning, kTimeOver}, kAsked},
    {{kRunning, kTimeOverNow}, kKilling},
    {{kRunning, kExited}, kJudging},
    {{kRunning, kExitedLeaving}, kClearing},
    {{kAsked, kGraceOver}, kKilling},
    {{kAsked, kExited}, kJudging},
    {{kAsked, kExitedLeaving}, kClearing},
    {{kKilling, kAllKilled}, kKilled},
    {{kKilling, kExited}, kClearing},
    {{kKilling, kExitedLeaving}, kClearing},
    {{kKilled, kExited}, kJudging},
    {{kKilled, kExitedLeaving}, kJudging},
    {{kClearing, kAllKilled}, kJudging},
    {{kClearing, kSomeKilled}, kJudging},
    {{kClearing, kKillFailed}, kJudging},
    {{kJudging, kJudged}, kDone},
    {{kRunning, kGone}, kDone},
    {{kAsked, kGone}, kDone},
    {{kKilling, kGone}, kDone},
    {{kKilled, kGone}, kDone},
    {{kClearing, kGone}, kDone},
    {{kJudging, kGone}, kDone},
    {{kDone, kGone}, kDone},
};

TEST(ProcessEnd, GoesByTheTableAndByNothingElse) {
  for (const EndStage stage : kStages) {
    for (const EndEvent event : kEvents) {
      const auto found = kTable.find({stage, event});
      const std::optional<EndStage> expected =
          found == kTable.end() ? std::nullopt : std::optional(found->second);
      EXPECT_EQ(After(stage, event), expected)
          << EndStageName(stage) << ", event " << static_cast<int>(event);
    }
  }
}

// Every stage is on some way from the first one, and from every stage some way leads to the end
// without the guest's being gone: a process is never stuck because its guest lives.
TEST(ProcessEnd, EveryStageIsReachedAndEnds) {
  std::set<EndStage> reached = {kRunning};
  std::set<EndStage> ends = {kDone};
  for (size_t round = 0; round < std::size(kStages); ++round) {
    for (const auto& [from, to] : kTable) {
      if (from.second == kGone) continue;
      if (reached.contains(from.first)) reached.insert(to);
      if (ends.contains(to)) ends.insert(from.first);
    }
  }
  EXPECT_EQ(reached.size(), std::size(kStages));
  EXPECT_EQ(ends.size(), std::size(kStages));
}

TEST(ProcessEnd, ItsEndIsAwaitedUntilItIsSeenAndIsNeverUnseen) {
  for (const EndStage stage : kStages) {
    EXPECT_EQ(QuestionsOf(stage).wait, !HasExited(stage) && stage != kDone) << EndStageName(stage);
  }
  for (const auto& [from, to] : kTable) {
    if (HasExited(from.first)) {
      EXPECT_TRUE(HasExited(to) || to == kDone) << EndStageName(from.first);
    }
  }
}

TEST(ProcessEnd, OnlyWhatIsOverItsTimeIsAskedToEnd) {
  for (const EndStage stage : kStages) {
    EXPECT_EQ(QuestionsOf(stage).term, stage == kAsked) << EndStageName(stage);
    EXPECT_EQ(QuestionsOf(stage).kill, stage == kKilling || stage == kClearing)
        << EndStageName(stage);
    EXPECT_EQ(QuestionsOf(stage).judge, stage == kJudging) << EndStageName(stage);
  }
}

}  // namespace
}  // namespace cay::sandbox
