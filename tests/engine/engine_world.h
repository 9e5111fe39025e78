// What the conformance suite needs of each kind of engine: objects of it over one state, and what
// happens from outside.
#pragma once

#include <memory>
#include <string>

#include "base/os/fd.h"
#include "engine/engine.h"

namespace cay::engine {

class EngineWorld {
 public:
  virtual ~EngineWorld() = default;
  // Why its engine cannot be tried here; empty: it can.
  virtual std::string WhyNot() const { return {}; }
  // One more object over the same state; the one before is gone.
  virtual std::unique_ptr<Engine> Start() = 0;
  virtual CreateRequest Request(Lifetime lifetime) = 0;
  // The guest is killed by somebody else, with SIGKILL. `guest` is what Watch gave.
  virtual void KillGuest(Engine& engine, const SandboxId& id, const Fd& guest) = 0;
  // The directory of a new volume, as large as one must be at least.
  virtual std::string MakeVolume(const std::string& name) = 0;
  // Whether there is anything of any sandbox.
  virtual bool IsEmpty(Engine& engine) = 0;
};

struct EngineKind {
  const char* name;
  std::unique_ptr<EngineWorld> (*make)();
};

std::unique_ptr<EngineWorld> MakeFakeWorld();
// Of a fake engine that can only what every engine must.
std::unique_ptr<EngineWorld> MakePoorFakeWorld();
std::unique_ptr<EngineWorld> MakeNativeWorld();

}  // namespace cay::engine
