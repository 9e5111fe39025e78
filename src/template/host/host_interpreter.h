// HostInterpreter: which version of a language the `host` template shows, asked of the interpreter
// itself.
//
//   auto version = TRY(HostInterpreterVersion("node"));      // "20.20.2", or nothing
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cay::templates {

// Runs `PROGRAM --version` of the machine, from the standard directories that the template shows,
// with an empty environment and at most five seconds, and takes the first number out of what it
// prints. The answer is kept as long as the file is the same. Nothing when there is no such
// program, or it says no number. Thread-safe.
Result<std::optional<std::string>> HostInterpreterVersion(const std::string& program);

// The first "1", "1.2" or "1.2.3" in a text. Pure.
std::optional<std::string> FirstVersion(std::string_view text);

}  // namespace cay::templates
