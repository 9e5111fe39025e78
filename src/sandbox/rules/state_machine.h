// The state machine of a sandbox: what can be done with it, in which state.
//
//   if (IsDone(Act::kPause, view.state)) return view;    // what was wanted is so
//   TRY(CheckAct(Act::kPause, view.id, view.state));     // kIllegalState, with the remedy
//
// Pure.
#pragma once

#include "base/id.h"
#include "base/result.h"
#include "sandbox/types.h"

namespace cay::sandbox {

enum class Act : uint8_t {
  kUse,     // processes, ports
  kFiles,   // files
  kStart,   // stopped → running
  kStop,    // running, paused → stopped
  kPause,   // running → paused
  kResume,  // paused → running
  kReset,   // running → running, without processes
  kSnapshot,
  kLimit,    // live limits
  kChange,   // times, name, metadata
  kMeasure,  // statistics
  kDestroy,  // any → destroyed
};

// Whether there is nothing to do, because the sandbox is in the wanted state already. Nothing runs
// in one that has failed: it counts as stopped, and stays failed.
bool IsDone(Act act, SandboxState state);

// Also kIllegalState where the act is done (IsDone).
Result<void> CheckAct(Act act, const SandboxId& id, SandboxState state);

}  // namespace cay::sandbox
