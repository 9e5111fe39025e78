// The JSON document of a sandbox's row: what no query looks for. What a newer program wrote and
// this one does not know is ignored; what is missing is the default.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sandbox/records/record.h"

namespace cay::sandbox {

std::string DocumentOf(const SandboxRecord& record);
// Into a record whose columns are filled in. kIo (the machine's) for one that is damaged.
Result<void> ReadDocument(std::string_view text, SandboxRecord& record);

// What the engine keeps with a sandbox, for the day on which its row is lost (Engine::Promise):
// owner and document.
std::string PromiseOf(const SandboxRecord& record);
// kIo for one that is damaged.
Result<void> ReadPromise(std::string_view text, SandboxRecord& record);

// What programs before 0.1.0 made a digest of, for an idempotency key: the fields that they knew.
std::string LegacySpecText(const SandboxSpec& spec);

}  // namespace cay::sandbox
