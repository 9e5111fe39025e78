// cay net cache: the package cache of a state directory (network/cache), looked at and emptied.
#pragma once

#include "cli/frame/command.h"

namespace cay::cli {

extern const Command kCacheCommand;

}  // namespace cay::cli
