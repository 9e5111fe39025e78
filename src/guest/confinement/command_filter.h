// The filter of command_policy.h, compiled at build time.
#pragma once

#include <linux/filter.h>

#include <optional>
#include <span>

#include "base/os/fd.h"
#include "base/result.h"
#include "guest/confinement/command_policy.h"

namespace cay::guest {

std::span<const sock_filter> CommandFilter(Undecided undecided);

// Puts it on the calling thread, which has no_new_privs. Returns the listener that the arbiter
// answers on; nothing where there can be none: then the filter refuses those calls.
Result<std::optional<Fd>> InstallCommandFilter();

}  // namespace cay::guest
