// Requirements of Python packages (PEP 508), as far as they name what a registry has: a name,
// extras, versions (PEP 440), a marker. No URL, path or option. Pure.
//
//   ParseRequirement("Pandas [all] >=2.1 ; python_version<'3.13'")
//                                       // "Pandas[all]>=2.1; python_version < '3.13'"
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace cay::build {

// In one form. kInvalidArgument says what is wrong.
Result<std::string> ParseRequirement(std::string_view text);

// The requirements of a requirements.txt, each in one form, with the hashes that it has
// (--hash=sha256:…). Comments and lines that go on after a backslash are read as pip does.
// kInvalidArgument names the line; every other option is refused: it would name a place or a file.
Result<std::vector<std::string>> ParseRequirements(std::string_view text);

}  // namespace cay::build
