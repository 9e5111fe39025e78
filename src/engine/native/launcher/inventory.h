// Inventory: what sandboxes exist on this machine, and what a crash left behind. Needs no launcher:
// `cay ps`, `cay gc`.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "base/units.h"
#include "engine/engine.h"

namespace cay::engine::native {

struct InventoryEntry {
  SandboxStatus status;              // its state as recorded; kFailed where nothing can be read
  bool owned = false;                // by a living launcher; an ephemeral one without is garbage
  Scratch scratch = Scratch::kDisk;  // where its files are
  Stats stats;
};

// Every sandbox, whoever owns it, except those that are being made or removed.
Result<std::vector<InventoryEntry>> TakeInventory(const Paths& paths);

// What Engine::List says, without figures; needs no launcher, and lists sandboxes whoever owns
// them.
Result<std::vector<SandboxStatus>> ListStatuses(const Paths& paths);

// The same as a function, for callers that ask later and more than once.
inline auto ListerOf(const Paths& paths) {
  return [paths] { return ListStatuses(paths); };
}

// A sandbox that runs and has no directory here: it is of another state directory, or of one that
// is gone.
struct Elsewhere {
  std::string id;
  pid_t process = 0;  // the first of its processes: as a rule its guest, with which all of it ends
  size_t processes = 0;
};

// As root; empty as an ordinary user, who cannot tell.
Result<std::vector<Elsewhere>> FindElsewhere(const Paths& paths);

using GcOptions = GarbageOptions;

struct GcReport {
  std::vector<std::string> sandboxes;  // ids whose directories were removed
  std::vector<std::string> cgroups;    // ids of groups without a directory
  uint64_t id_ranges = 0;              // ranges without a sandbox
  uint64_t scratch_images = 0;         // half-made empty filesystem images
  std::vector<std::string> orphans;    // ids of orphaned sandboxes that were removed
  std::vector<std::string> failures;   // what could not be removed, and why
  std::vector<std::string> kept;       // what is kept although nobody uses it, and why
};

// Removes what belongs to no living launcher: ephemeral sandboxes, with the processes that still
// run in them, and cgroups, id ranges and images without a sandbox. Persistent sandboxes stay, and
// so does what cannot be read unless it says that it is garbage (sandbox_dir.h).
Result<GcReport> CollectGarbage(const Paths& paths, const GcOptions& options = {});

}  // namespace cay::engine::native
