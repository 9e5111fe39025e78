#include "sandbox/rules/process_end.h"

namespace cay::sandbox {
namespace {

using enum EndStage;
using enum EndEvent;

struct Change {
  EndStage stage;
  EndEvent event;
  EndStage next;
};

// Beside these, kGone ends every stage.
constexpr Change kChanges[] = {
    {kRunning, kTimeOver, kAsked},
    {kRunning, kTimeOverNow, kKilling},
    {kRunning, kExited, kJudging},
    {kRunning, kExitedLeaving, kClearing},
    {kAsked, kGraceOver, kKilling},
    {kAsked, kExited, kJudging},
    {kAsked, kExitedLeaving, kClearing},
    // A kill that is under way when it exits is awaited: the answer says what is left.
    {kKilling, kAllKilled, kKilled},
    {kKilling, kExited, kClearing},
    {kKilling, kExitedLeaving, kClearing},
    {kKilled, kExited, kJudging},
    {kKilled, kExitedLeaving, kJudging},
    // One attempt: its end is known, and what is left is told with it.
    {kClearing, kAllKilled, kJudging},
    {kClearing, kSomeKilled, kJudging},
    {kClearing, kKillFailed, kJudging},
    {kJudging, kJudged, kDone},
};

}  // namespace

std::optional<EndStage> After(EndStage stage, EndEvent event) {
  if (event == kGone) return kDone;
  for (const Change& change : kChanges) {
    if (change.stage == stage && change.event == event) return change.next;
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
