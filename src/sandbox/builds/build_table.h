// The table `template_build`: builds that were asked for, as far as anybody is told of them later:
// without what was told of their steps, without arguments, labels and secrets. Functions for works
// of the store (store/store.h).
#pragma once

#include <vector>

#include "base/result.h"
#include "sandbox/builds/build_types.h"
#include "store/database.h"

namespace cay::sandbox::build_table {

inline constexpr size_t kKept = 50;  // that have ended

Result<void> Put(store::Database& db, const BuildView& build);
// Those that are kept, the newest first. One that is damaged is left out, and logged.
Result<std::vector<BuildView>> All(store::Database& db);
// All but the newest kKept of those that have ended.
Result<void> Trim(store::Database& db);

}  // namespace cay::sandbox::build_table
