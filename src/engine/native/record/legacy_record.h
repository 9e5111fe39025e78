// The records of programs before 0.1.0, whose fields have no numbers but places: read for as long
// as there may be a sandbox that was made by one, never written.
#pragma once

#include <string_view>

#include "base/result.h"
#include "engine/native/record/record.h"

namespace cay::engine::native {

// Whether it has that form at all.
bool IsLegacyRecord(std::string_view bytes);

Result<Record> DecodeLegacyRecord(std::string_view bytes);

}  // namespace cay::engine::native
