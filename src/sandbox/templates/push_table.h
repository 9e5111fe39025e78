// The table `template_push`: pushes that were asked for, as far as anybody is told of them later:
// without what proved who asked. Functions for works of the store (store/store.h).
#pragma once

#include <vector>

#include "base/result.h"
#include "sandbox/templates/push_types.h"
#include "store/database.h"

namespace cay::sandbox::push_table {

inline constexpr size_t kKept = 100;  // that have ended

// Without its layers and its progress.
Result<void> Put(store::Database& db, const PushView& push);
// Those that are kept, the newest first. One that is damaged is left out, and logged.
Result<std::vector<PushView>> All(store::Database& db);
// All but the newest kKept of those that have ended.
Result<void> Trim(store::Database& db);

}  // namespace cay::sandbox::push_table
