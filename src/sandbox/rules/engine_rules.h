// Engine rules: what an engine does not claim (engine/capabilities.h) is not asked of it.
// kNotSupported, naming the engine.
//
// Pure.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "sandbox/rules/state_machine.h"
#include "sandbox/types.h"

namespace cay::sandbox {

// What the rules need to know of an engine; it is the same for as long as the engine lives.
struct EngineFacts {
  engine::Description description;
  engine::Capabilities can;
};
EngineFacts FactsOf(const engine::Engine& engine);

// kFiles: of a sandbox that is stopped.
Result<void> CheckCan(Act act, const EngineFacts& engine);

// What a sandbox is to have, and what is to become of it when its time is over. Everything is
// filled in.
Result<void> CheckCan(const SandboxSpec& spec, const EngineFacts& engine);

}  // namespace cay::sandbox
