#include "sandbox/rules/process_end.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace cay::sandbox {
namespace {

using enum EndStage;
using enum EndEvent;

constexpr EndStage kStages[] = {kRunning, kAsked, kKilling, kKilled, kClearing, kJudging, kDone};
constexpr EndEvent kEvents[] = {kTimeOver,  kTimeOverNow, kGraceOver,  kExited, kExitedLeaving,
                                kAllKilled, kSomeKilled,  kKillFailed, kJudged, kGone};

// Of every change that there is while its guest lives.
void ForEachChange(auto act) {
  for (const EndStage stage : kStages) {
    for (const EndEvent event : kEvents) {
      const auto next = After(stage, event);
      if (event != kGone && next) act(stage, *next);
    }
  }
}

// What is said of whole ways: each is a row of events, and where it leads.
struct Way {
  std::vector<EndEvent> events;
  EndStage end;
};

TEST(ProcessEnd, TheWaysThatThereAre) {
  const std::vector<Way> ways = {
      {{kExited, kJudged}, kDone},
      {{kExitedLeaving, kAllKilled, kJudged}, kDone},
      // What is left behind is killed once, and told.
      {{kExitedLeaving, kSomeKilled}, kJudging},
      {{kExitedLeaving, kKillFailed}, kJudging},
      // Asked, and it ends.
      {{kTimeOver, kExited, kJudged}, kDone},
      {{kTimeOver, kExitedLeaving, kAllKilled}, kJudging},
      // Asked in vain: killed until nothing is left, and then its end is awaited.
      {{kTimeOver, kGraceOver, kSomeKilled, kKillFailed}, kKilling},
      {{kTimeOver, kGraceOver, kAllKilled}, kKilled},
      {{kTimeOver, kGraceOver, kAllKilled, kExitedLeaving, kJudged}, kDone},
      // Its end comes before the answer to the kill, which is awaited.
      {{kTimeOverNow, kExited}, kClearing},
      {{kTimeOverNow, kExited, kAllKilled, kJudged}, kDone},
      // What comes twice, or too late, changes nothing.
      {{kExited, kTimeOver, kGraceOver, kExited}, kJudging},
      {{kGraceOver, kAllKilled, kJudged}, kRunning},
      {{kExited, kJudged, kTimeOver}, kDone},
  };
  for (const Way& way : ways) {
    EndStage stage = kRunning;
    std::string said = "running";
    for (const EndEvent event : way.events) {
      stage = After(stage, event).value_or(stage);
      said += ", " + std::string(EndStageName(stage));
    }
    EXPECT_EQ(stage, way.end) << said;
  }
}

TEST(ProcessEnd, WithItsGuestGoneEveryStageIsOver) {
  for (const EndStage stage : kStages) EXPECT_EQ(After(stage, kGone), kDone);
}

// Every stage is on some way from the first one, and from every stage some way leads to the end
// without the guest's being gone: a process is never stuck because its guest lives.
TEST(ProcessEnd, EveryStageIsReachedAndEnds) {
  std::set<EndStage> reached = {kRunning};
  std::set<EndStage> ends = {kDone};
  for (size_t round = 0; round < std::size(kStages); ++round) {
    ForEachChange([&](EndStage from, EndStage to) {
      if (reached.contains(from)) reached.insert(to);
      if (ends.contains(to)) ends.insert(from);
    });
  }
  EXPECT_EQ(reached.size(), std::size(kStages));
  EXPECT_EQ(ends.size(), std::size(kStages));
}

TEST(ProcessEnd, ItsEndIsAwaitedUntilItIsSeenAndIsNeverUnseen) {
  for (const EndStage stage : kStages) {
    EXPECT_EQ(QuestionsOf(stage).wait, !HasExited(stage) && stage != kDone) << EndStageName(stage);
  }
  ForEachChange([](EndStage from, EndStage to) {
    if (HasExited(from)) {
      EXPECT_TRUE(HasExited(to) || to == kDone) << EndStageName(from);
    }
  });
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
