// The command line's words for what can be done about an error: commands and options.
#pragma once

#include <string_view>

#include "base/remedy.h"

namespace cay::cli {

std::string_view CommandFor(Action action);

}  // namespace cay::cli
