// Reconcile: at the start, what the store promises against what the engine has.
//
//   promised, and there           adopted, as the engine has it (a transition may have been half done)
//   promised, its guest gone      failed, with why
//   promised, not there           failed: "lost: …"; it can be destroyed
//   promised to be destroyed      destroyed
//   its row cannot be read        as if there were no row; what is there is never destroyed for it
//   there, promised to nobody     destroyed: members of pools, creates that were not acknowledged
//   there, promised to somebody   by its own account: orphaned, and told (orphans.h)
//
// A promised sandbox that cannot be read is kept too: it is failed, and says why.
//
// Sandboxes that are not the server's (`cay run`'s: ephemeral, or without its label) are not looked
// at.
#pragma once

#include "sandbox/lifecycle/core.h"

namespace cay::sandbox {

// After a restart its users get this long to come back before it counts as idle.
inline constexpr Millis kIdleGrace{10'000};

// Before any other thread knows of the core. An error means that nothing can be said about the
// sandboxes: the server must not start.
Result<ReconcileReport> Reconcile(Core& core);

}  // namespace cay::sandbox
