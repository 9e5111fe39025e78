// Reset: ends every process of a sandbox, and empties where code leaves things. What was installed
// elsewhere in its filesystem stays, and so do the files of its project.
//
// The sandbox's code is an adversary: it may have made the directories symlinks or mounts of its own
// kind, and must not be able to keep a process. So the guest is ended and another one begins
// (Stop, Start); only where an engine cannot do that (an ordinary user's) is the guest told to kill.
#pragma once

#include "base/result.h"
#include "engine/engine.h"

namespace cay::sandbox {

// Afterwards the sandbox runs and has no processes. `guest_protocol`: its guest's; that of the guest it has then is given back.
Result<uint32_t> EndProcesses(engine::Engine& engine, const SandboxId& id, uint32_t guest_protocol);

// /workspace/agent_workspace, /workspace/outputs and /tmp.
Result<void> EmptyWorkspace(engine::Engine& engine, const SandboxId& id, uint32_t guest_protocol);

}  // namespace cay::sandbox
