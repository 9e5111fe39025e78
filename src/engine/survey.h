// Survey: what of an engine is on this machine, looked at from outside: without starting the
// engine, and whoever owns its sandboxes. For `cay ps`, `cay gc` and `cay doctor`, which may come
// while a server runs.
//
//   auto survey = TRY(engine::MakeSurvey(engine::kUsualEngine, paths));       // factory/factory.h
//   for (const InventoryEntry& entry : TRY(survey->TakeInventory())) …
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/diagnosis.h"
#include "engine/engine.h"
#include "engine/garbage.h"

namespace cay::engine {

struct InventoryEntry {
  SandboxStatus status;              // its state as recorded; kFailed where nothing can be read
  bool owned = false;                // by a living engine; an ephemeral one without is garbage
  Scratch scratch = Scratch::kDisk;  // where its files are
  Stats stats;
};

// A sandbox that runs and has no directory here: it is of another state directory, or of one that
// is gone.
struct Elsewhere {
  std::string id;
  pid_t process = 0;  // the first of its processes: as a rule its guest, with which all of it ends
  size_t processes = 0;
};

class Survey {
 public:
  virtual ~Survey() = default;

  // Tries what sandboxes are made of, as this user, and changes nothing. While there is one thread:
  // what is tried is tried in children.
  virtual Result<Diagnosis> Diagnose() = 0;

  // Every sandbox, except those that are being made or removed.
  virtual Result<std::vector<InventoryEntry>> TakeInventory() = 0;
  // The same as Engine::List has it: no figures.
  virtual Result<std::vector<SandboxStatus>> List() = 0;

  // As root; empty as an ordinary user, who cannot tell.
  virtual Result<std::vector<Elsewhere>> FindElsewhere() = 0;

  // As Engine::CollectGarbage.
  virtual Result<GarbageReport> CollectGarbage(const GarbageOptions& options) = 0;
};

}  // namespace cay::engine
