// A note of `cay ps` and `cay gc` about sandboxes that have no directory under this state
// directory.
#pragma once

#include "base/os/paths.h"

namespace cay::cli {

// On standard error, in one line; nothing where there are none.
void NoteElsewhere(const Paths& paths);

}  // namespace cay::cli
