// Packages of Debian by name and version (Debian Policy 5.6.1 and 5.6.12). Nothing that apt-get
// would take for an option, a file, a release or a pattern of names. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::build {

// "jq", "jq=1.6-2.1". kInvalidArgument says what is wrong.
Result<std::string> ParseAptPackage(std::string_view text);

}  // namespace cay::build
