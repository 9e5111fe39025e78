#include "sandbox/rules/process_end.h"

namespace cay::sandbox {
namespace {

using enum EndStage;
using enum EndEvent;

std::optional<EndStage> AfterRunning(EndEvent event) {
  switch (event) {
    case kTimeOver:
      return kAsked;
    case kTimeOverNow:
      return kKilling;
    case kExitedLeaving:
      return kClearing;
    case kExited:
      return kJudging;
    default:
      return std::nullopt;
  }
}

std::optional<EndStage> AfterAsked(EndEvent event) {
  switch (event) {
    case kGraceOver:
      return kKilling;
    case kExitedLeaving:
      return kClearing;
    case kExited:
      return kJudging;
    default:
      return std::nullopt;
  }
}

// What is under way when it exits is awaited: the answer says what is left.
std::optional<EndStage> AfterKilling(EndEvent event) {
  switch (event) {
    case kAllKilled:
      return kKilled;
    case kExited:
    case kExitedLeaving:
      return kClearing;
    default:
      return std::nullopt;
  }
}

std::optional<EndStage> AfterKilled(EndEvent event) {
  if (event == kExited || event == kExitedLeaving) return kJudging;
  return std::nullopt;
}

// One attempt: its end is known, and what is left is told with it.
std::optional<EndStage> AfterClearing(EndEvent event) {
  switch (event) {
    case kAllKilled:
    case kSomeKilled:
    case kKillFailed:
      return kJudging;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<EndStage> After(EndStage stage, EndEvent event) {
  if (event == kGone) return kDone;
  switch (stage) {
    case kRunning:
      return AfterRunning(event);
    case kAsked:
      return AfterAsked(event);
    case kKilling:
      return AfterKilling(event);
    case kKilled:
      return AfterKilled(event);
    case kClearing:
      return AfterClearing(event);
    case kJudging:
      if (event == kJudged) return kDone;
      return std::nullopt;
    case kDone:
      return std::nullopt;
  }
  return std::nullopt;
}

EndQuestions QuestionsOf(EndStage stage) {
  switch (stage) {
    case kRunning:
    case kKilled:
      return {.wait = true};
    case kAsked:
      return {.wait = true, .term = true};
    case kKilling:
      return {.wait = true, .kill = true};
    case kClearing:
      return {.kill = true};
    case kJudging:
      return {.judge = true};
    case kDone:
      return {};
  }
  return {};
}

bool HasExited(EndStage stage) { return stage == kClearing || stage == kJudging; }

std::string_view EndStageName(EndStage stage) {
  switch (stage) {
    case kRunning:
      return "running";
    case kAsked:
      return "asked";
    case kKilling:
      return "killing";
    case kKilled:
      return "killed";
    case kClearing:
      return "clearing";
    case kJudging:
      return "judging";
    case kDone:
      return "done";
  }
  return "unknown";
}

}  // namespace cay::sandbox
