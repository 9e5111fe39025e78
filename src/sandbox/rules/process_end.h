// How a process comes to its end, while nobody follows it: the stages on the way, what leads from
// one to the next, and what its guest is asked in each.
//
//   running → asked → killing → killed → judging → done          over its time
//   running → clearing → judging → done                          it left processes behind
//   running → judging → done                                     it ended by itself
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace cay::sandbox {

enum class EndStage : uint8_t {
  kRunning,
  kAsked,     // its time is over: SIGTERM, and its grace runs
  kKilling,   // it is killed, with what it left behind
  kKilled,    // nothing of it is left, as its guest says; its end is still to come
  kClearing,  // it ended; what it left behind is killed
  kJudging,   // it ended; its guest is asked whether the disk is full
  kDone,
};

enum class EndEvent : uint8_t {
  kTimeOver,     // it has a grace
  kTimeOverNow,  // it has none
  kGraceOver,
  kExited,
  kExitedLeaving,  // what it left behind is to be killed
  kAllKilled,
  kSomeKilled,  // and some are left: it forks faster than it is killed
  kKillFailed,  // or was not answered in time
  kJudged,
  kGone,  // the guest is gone, or knows it no more
};

// Nothing: the event does not happen in this stage, or changes nothing.
std::optional<EndStage> After(EndStage stage, EndEvent event);

// What the guest is asked in a stage. Each question is a connection, which is closed when a stage
// comes that does not ask it.
struct EndQuestions {
  bool wait = false;   // for its end
  bool term = false;   // SIGTERM, once
  bool kill = false;   // it, and what it left behind
  bool judge = false;  // how full the disk is
};
EndQuestions QuestionsOf(EndStage stage);

// Whether its end was seen.
bool HasExited(EndStage stage);

std::string_view EndStageName(EndStage stage);

}  // namespace cay::sandbox
