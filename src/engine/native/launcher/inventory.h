// Inventory: what sandboxes exist on this machine, and what a crash left behind. Needs no launcher
// (survey.h).
#pragma once

#include <vector>

#include "base/os/paths.h"
#include "base/result.h"
#include "engine/survey.h"

namespace cay::engine::native {

// Every sandbox, whoever owns it, except those that are being made or removed.
Result<std::vector<InventoryEntry>> TakeInventory(const Paths& paths);

// The same list as Engine::List, without figures; needs no launcher, and lists sandboxes
// whoever owns them.
Result<std::vector<SandboxStatus>> ListStatuses(const Paths& paths);

// As root; empty as an ordinary user, who cannot tell.
Result<std::vector<Elsewhere>> FindElsewhere(const Paths& paths);

// Removes what belongs to no living launcher: ephemeral sandboxes, with the processes that still
// run in them, and cgroups, id ranges and images without a sandbox. Persistent sandboxes stay, and
// so does what cannot be read unless it says that it is garbage (sandbox_dir.h).
Result<GarbageReport> CollectGarbage(const Paths& paths, const GarbageOptions& options = {});

}  // namespace cay::engine::native
