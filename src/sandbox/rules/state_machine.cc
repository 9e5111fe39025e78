#include "sandbox/rules/state_machine.h"

#include <string>

namespace cay::sandbox {
namespace {

using enum SandboxState;

// A set of states.
using States = unsigned;

template <class... State>
constexpr States In(State... states) {
  return ((1U << static_cast<unsigned>(states)) | ...);
}

struct Rule {
  std::string_view what;  // "cannot be …"
  States from;
};

Rule RuleOf(Act act) {
  switch (act) {
    case Act::kUse:
      return {"used", In(kRunning)};
    case Act::kFiles:
      return {"used", In(kRunning, kStopped)};
    case Act::kStart:
      return {"started", In(kStopped, kFailed)};
    case Act::kStop:
      return {"stopped", In(kRunning, kPaused)};
    case Act::kPause:
      return {"paused", In(kRunning)};
    case Act::kResume:
      return {"resumed", In(kPaused)};
    case Act::kReset:
      return {"reset", In(kRunning)};
    case Act::kSnapshot:
      return {"kept as a snapshot", In(kRunning, kPaused, kStopped)};
    case Act::kLimit:
      return {"given other limits", In(kRunning, kPaused, kStopped)};
    case Act::kChange:
      return {"changed", In(kRunning, kPaused, kStopped, kFailed)};
    case Act::kMeasure:
      return {"measured", In(kRunning, kPaused, kStopped, kFailed)};
    case Act::kDestroy:
      return {"destroyed", In(kRunning, kPaused, kStopped, kFailed)};
  }
  return {"used", 0};
}

// What takes a sandbox in this state to where the act is allowed.
Remedy RemedyFor(Act act, const std::string& id, SandboxState state) {
  switch (state) {
    case kCreating:
      return "wait until it is running";
    case kPaused:
      return "resume it first: " + Remedy(Action::kResume, id);
    case kStopped:
      return "start it first: " + Remedy(Action::kStart, id);
    case kRunning:
      if (act == Act::kStart || act == Act::kResume) return "it runs already: use it";
      return "pause it first: " + Remedy(Action::kPause, id);
    case kFailed:
      return "start it again, if its disk is whole: " + Remedy(Action::kStart, id) +
             "; or destroy it: " + Remedy(Action::kDestroy, id);
    case kDestroyed:
      return "create another";
  }
  return {};
}

}  // namespace

bool IsDone(Act act, SandboxState state) {
  switch (act) {
    case Act::kStart:
    case Act::kResume:
      return state == kRunning;
    case Act::kStop:
      return state == kStopped || state == kFailed;
    case Act::kPause:
      return state == kPaused;
    default:
      return false;
  }
}

Result<void> CheckAct(Act act, const SandboxId& id, SandboxState state) {
  const Rule rule = RuleOf(act);
  if ((rule.from & In(state)) != 0) return {};
  return Failure(Error(ErrorCode::kIllegalState, Fault::kCaller,
                       "sandbox " + id.text() + " is " + std::string(SandboxStateName(state)) +
                           " and cannot be " + std::string(rule.what))
                     .WithRemedy(RemedyFor(act, id.text(), state)));
}

}  // namespace cay::sandbox
