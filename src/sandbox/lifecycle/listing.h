// Listing: which sandboxes a caller sees, a page at a time, the newest first. A page goes on after
// the last sandbox of the one before, whatever has come or gone meanwhile.
#pragma once

#include "sandbox/lifecycle/core.h"

namespace cay::sandbox {

inline constexpr size_t kMaxListed = 1000;

Result<Page> ListSandboxes(const Core& core, const Caller& caller, const ListFilter& filter);

}  // namespace cay::sandbox
