// The JSON document of a sandbox's row: what no query looks for. What a newer program wrote and this
// one does not know is ignored; what is missing is the default.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sandbox/sandbox.h"

namespace cay::sandbox {

std::string DocumentOf(const SandboxRecord& record);
// Into a record whose columns are filled in. kIo (the machine's) for one that is damaged.
Result<void> ReadDocument(std::string_view text, SandboxRecord& record);

// A spec as text: equal for equal specs.
std::string SpecText(const SandboxSpec& spec);

}  // namespace cay::sandbox
