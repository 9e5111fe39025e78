// The state machine of a sandbox: what can be done with it, in which state.
//
//   TRY(CheckAct(Act::kPause, view.id, view.state));     // kIllegalState, with the remedy
//
// Pure.
#pragma once

#include "base/id.h"
#include "base/result.h"
#include "sandbox/types.h"

namespace cay::sandbox {

enum class Act : uint8_t {
  kUse,      // processes, files, ports
  kStart,    // stopped → running
  kStop,     // running → stopped
  kPause,    // running → paused
  kResume,   // paused → running
  kReset,    // running → running, without processes
  kLimit,    // live limits
  kChange,   // times, name, metadata
  kMeasure,  // statistics
  kDestroy,  // any → destroyed
};

Result<void> CheckAct(Act act, const SandboxId& id, SandboxState state);

}  // namespace cay::sandbox
